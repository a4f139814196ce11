"""How well the threshold of the chat tells questions that a collection can answer from those that it cannot.

    python bench/chat.py [--data DIR] [--documents N] [--json]

DIR holds `scifact` (BEIR layout) and `media/captions.jsonl`. Two collections, each asked its own questions and those of
the other one, at the four sizes, by the local embedder with exact cosine:

- abstracts of SciFact (those judged and others, N in all), asked their claims, and captions of pictures;
- captions of pictures, asked other people's captions of the same pictures, and claims of SciFact.

The threshold is that of nestor.chat from its background questions, which belong to neither. `kept` is the share of the
collection's own questions whose best hit passes; `passed` the share of the strangers' that passes all the same, which
should be near 10 %.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.retrieval import read_task
from nestor.adapters.local import LocalEmbedder
from nestor.chat.threshold import background, of_unrelated
from nestor.domain import DIMENSIONS, Embedding, Modality, Segment, Span
from nestor.nesting import nest

DATA = Path(__file__).parents[2] / "shared/data"


@dataclass(frozen=True, slots=True)
class Collection:
    """Documents, questions that they answer, and questions that they do not."""

    name: str
    documents: Sequence[str]
    own: Sequence[str]
    strange: Sequence[str]


def main() -> None:
    """Measure both collections and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--documents", type=int, default=1_500)
    parser.add_argument("--json", action="store_true", help="print one line of JSON last")
    asked = parser.parse_args()
    embedder = LocalEmbedder()
    rows = [row for each in collections(asked.data, asked.documents) for row in measured(each, embedder)]
    print(f"{'collection':<12}{'size':>6}{'threshold':>11}{'kept':>8}{'passed':>8}")
    for row in rows:
        shares = "".join(f"{row[name]:>8.3f}" for name in ("kept", "passed"))
        print(f"{row['collection']:<12}{row['size']:>6}{row['threshold']:>11.4f}{shares}")
    if asked.json:
        print(json.dumps(rows))


def collections(data: Path, documents: int) -> list[Collection]:
    """Return the two collections."""
    task = read_task(data / "scifact", split="test")
    judged = sorted({place for gains in task.relevant for place in gains})
    others = [place for place in range(len(task.documents)) if place not in set(judged)]
    abstracts = [task.documents[place] for place in [*judged, *others][:documents]]
    items = [json.loads(line) for line in (data / "media/captions.jsonl").read_text().splitlines()]
    pictures = [item for item in items if item["modality"] == "image"]
    captions = [item["caption"] for item in pictures]
    again = [item["captions"][1] for item in pictures if len(item.get("captions") or ()) > 1]
    return [
        Collection("scifact", abstracts, task.questions, captions),
        Collection("captions", captions, again, task.questions),
    ]


def measured(collection: Collection, embedder: LocalEmbedder) -> list[dict[str, str | float]]:
    """Return a row for each size."""
    segments = [Segment(0, Modality.TEXT, Span(), text) for text in collection.documents]
    rows = nest(np.concatenate([embedder.embed_segments(segments[at : at + 64]) for at in range(0, len(segments), 64)]))
    own, strange, neither = (
        nest(np.stack([embedder.embed_text_query(words) for words in asked]))
        for asked in (collection.own, collection.strange, background())
    )
    return [
        _row(collection.name, size, *(_best(each[size], rows[size]) for each in (own, strange, neither)))
        for size in DIMENSIONS
    ]


def _best(questions: Embedding, documents: Embedding) -> Embedding:
    best: Embedding = (questions @ documents.T).max(axis=1)
    return best


def _row(name: str, size: int, own: Embedding, strange: Embedding, neither: Embedding) -> dict[str, str | float]:
    threshold = of_unrelated(neither.tolist())
    return {
        "collection": name,
        "size": size,
        "threshold": threshold,
        "kept": float((own > threshold).mean()),
        "passed": float((strange > threshold).mean()),
    }


if __name__ == "__main__":
    main()
