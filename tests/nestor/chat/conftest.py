"""A library of a few texts, an embedder whose similarity is shared words, and a model that says what it is told to."""

import hashlib
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from nestor.chat import Chat
from nestor.chat.sources import Sources
from nestor.chat.thresholds import Thresholds
from nestor.domain import FULL_DIMENSION, Embedding, Segment
from nestor.ports import Calibration, Message, Usage
from nestor.settings import Settings
from nestor.wiring import Nestor

TEXTS = {
    "bridge.txt": "The old stone bridge of Harrow was built in 1732. Masons carried granite across the frozen river.",
    "orchard.txt": "The orchard holds forty plum trees. They blossom in April, before the apricots.",
    "lighthouse.txt": "The lighthouse keeper lit the lamp each evening. Its beam reaches eighteen miles.",
}


class WordsEmbedder:
    """Each word is a direction of its own: similarity is the share of words in common. Names no real embedder."""

    id = "words-1"

    def embed_segments(self, segments: Sequence[Segment]) -> Embedding:
        """Return one unit row a segment."""
        return np.stack([self.embed_text_query(segment.text) for segment in segments])

    def embed_text_query(self, text: str) -> Embedding:
        """Return the unit sum of its words' directions."""
        row = np.zeros(FULL_DIMENSION, np.float32)
        for word in set(re.findall(r"\w+", text.lower())) - {"the", "was", "when", "in", "a", "of", "how", "and"}:
            seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8])
            row += np.random.default_rng(seed).normal(size=FULL_DIMENSION).astype(np.float32)
        if not row.any():
            row[0] = 1
        unit: Embedding = row / np.linalg.norm(row)
        return unit

    def embed_segments_query(self, segments: Sequence[Segment]) -> Embedding:
        """Return the embedding of the first segment's text."""
        return self.embed_text_query(segments[0].text)


class ScriptedModel:
    """Says what a function makes of the messages, in pieces of seven characters, whatever that does."""

    name = "scripted"
    sees = True

    def __init__(self, answer: str | Callable[[Sequence[Message]], str]) -> None:
        """Answer with this text, or by this function of the messages."""
        self.answer = answer
        self.asked: list[tuple[Sequence[Message], str]] = []
        self.closed = 0

    def stream(self, messages: Sequence[Message], *, system: str) -> Generator[str | Usage, None, None]:
        """Yield the pieces and what was counted."""
        self.asked.append((messages, system))
        whole = self.answer if isinstance(self.answer, str) else self.answer(messages)
        try:
            for start in range(0, len(whole), 7):
                yield whole[start : start + 7]
            yield Usage(100, len(whole))
        finally:
            self.closed += 1


class Memory:
    """The port Calibrations over a dictionary."""

    def __init__(self) -> None:
        """Begin with none."""
        self.kept: dict[tuple[str, int], Calibration] = {}

    def get(self, embedder: str, dimension: int) -> Calibration | None:
        """Return what was kept."""
        return self.kept.get((embedder, dimension))

    def put(self, calibration: Calibration) -> None:
        """Keep it."""
        self.kept[calibration.embedder, calibration.dimension] = calibration


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nestor]:
    """Return a home with the texts, for tests that only look."""
    folder = tmp_path_factory.mktemp("texts")
    yield from stocked(folder, TEXTS)


def stocked(folder: Path, texts: dict[str, str]) -> Iterator[Nestor]:
    """Yield a home beside the folder that holds these texts."""
    for name, text in texts.items():
        (folder / name).write_text(text)
    with Nestor(Settings(home=folder / "home"), embedder=WordsEmbedder()) as nestor:
        for _ in nestor.ingest.run([folder / name for name in texts]):
            pass
        yield nestor


def chat_over(nestor: Nestor, model: ScriptedModel | None = None) -> Chat:
    """Return a chat over that home."""
    return Chat(
        search=nestor.search,
        strategy=nestor.strategy,
        sources=Sources(thumbnails=nestor.thumbnails),
        thresholds=Thresholds(
            search=nestor.search,
            embedder=lambda: nestor.embedder.id,
            calibrations=Memory(),
            segments=lambda: len(TEXTS),
            free=True,
        ),
        model=model,
    )
