"""A placeholder cut into pieces of work that functions do one by one: an inventory writes them, each is moved alone.

migration/<run>/batches/<n>.jsonl    an asset a line: its address and the paths of its objects
migration/<run>/damaged/<n>.jsonl    what of that batch could not be moved, and why
migration/<run>/quarantine/<path>    copies of such objects
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from nestor.domain import DIMENSIONS
from nestor.errors import EmbedderMismatch, InvalidInput
from nestor.migration.journal import Asset, Journal, Listed, Note
from nestor.migration.migrate import Mover, Outcome, grouped
from nestor.migration.moving import the_embedder
from nestor.migration.placeholder import place_of
from nestor.migration.source import Placeholder
from nestor.migration.survey import Survey, Surveyor
from nestor.ports import Objects, Vectors

SEGMENTS: Final = 2_048
"""Of a batch, about: some seconds of work. An asset of more is one batch."""

_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_KEY = re.compile(rf"migration/(?P<run>{_RUN.pattern})/batches/(?P<number>\d{{8}})\.jsonl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What is to be moved, written down."""

    survey: Survey
    embedder: str
    """Which one made the embeddings."""
    prefix: str
    """Of the keys of the batches."""
    batches: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """What became of one batch."""

    outcomes: Counter[Outcome]
    """Of assets."""
    segments: int
    """That can be searched now."""
    derived: int
    """Rows that were made from a larger size."""
    damaged: tuple[Note, ...]


class Batches:
    """The pieces in one bucket. Raises ObjectsError."""

    def __init__(self, objects: Objects, *, bucket: str) -> None:
        """Keep them in this bucket; nothing is sent yet."""
        self._objects = objects
        self._root = f"s3://{bucket}/"

    def prefix(self, run: str) -> str:
        """Return where the batches of a run lie. Raises InvalidInput for a name that cannot be part of a key."""
        if not _RUN.fullmatch(run):
            raise InvalidInput(f"The run is called {run!r}; it must be letters, digits and _ . -, 128 at most.")
        return f"migration/{run}/batches/"

    def put(self, prefix: str, number: int, assets: Sequence[Asset]) -> None:
        """Keep a batch."""
        lines = ({"uri": each.uri, "paths": [one.path for one in each.objects]} for each in assets)
        self._write(f"{prefix}{number:08}.jsonl", lines)

    def read(self, key: str) -> Iterator[Asset]:
        """Yield the assets of a batch. Raises InvalidInput when the key is none of a batch."""
        _parts(key)
        for line in self._objects.lines(self._root + key):
            document = orjson.loads(line)
            yield Asset(document["uri"], tuple(map(_listed, document["paths"])), signature="", content_hash="")

    def put_damaged(self, key: str, damaged: Sequence[Note]) -> None:
        """Keep what is wrong with the objects of a batch."""
        run, number = _parts(key)
        self._write(f"migration/{run}/damaged/{number}.jsonl", damaged)

    def quarantine(self, key: str) -> Placeholder:
        """Return where copies of damaged objects of that batch go."""
        run, _ = _parts(key)
        return Placeholder(self._objects, root=f"{self._root}migration/{run}/quarantine/", name="quarantine")

    def _write(self, key: str, lines: Iterable[object]) -> None:
        content = b"".join(orjson.dumps(each, option=orjson.OPT_APPEND_NEWLINE) for each in lines)
        self._objects.put(self._root + key, content, content_type="application/jsonl")


def take_inventory(
    surveyor: Surveyor, *, journal: Journal, batches: Batches, run: str, embedder: str | None, untold: str
) -> Inventory:
    """Look at the placeholder and write its assets down in batches; a run of the same name is written over.

    `embedder` made the embeddings; where it is None the objects tell, and `untold` did where they do not.
    Raises InvalidInput when they name several, ObjectsError.
    """
    prefix = batches.prefix(run)
    survey = surveyor.survey()
    made_by = embedder or the_embedder(survey, untold=untold)
    count = 0
    for batch in grouped(journal.assets(), segments=SEGMENTS):
        batches.put(prefix, count, batch)
        count += 1
    return Inventory(survey=survey, embedder=made_by, prefix=prefix, batches=count)


def move_batch(mover: Mover, *, batches: Batches, key: str, embedder: str) -> Moves:
    """Move the assets of one batch; what is stored already stays as it is, what is damaged is written down.

    Raises VectorsError and ObjectsError, retryable where another wrote a manifest meanwhile: again completes it.
    """
    outcomes: Counter[Outcome] = Counter()
    damaged: list[Note] = []
    segments = derived = 0
    for some in grouped(batches.read(key)):
        for found, moved in mover.move(some, embedder=embedder):
            outcomes[moved.outcome] += 1
            damaged += [note for note in found.notes if note.kind == "quarantined"]
            if moved.outcome in {Outcome.STORED, Outcome.UNCHANGED}:
                segments += moved.segments
                derived += found.derived
    if damaged:
        batches.put_damaged(key, damaged)
    return Moves(outcomes=outcomes, segments=segments, derived=derived, damaged=tuple(damaged))


def check_embedder(vectors: Vectors, embedder: str) -> None:
    """Raise EmbedderMismatch unless every index is there and belongs to this embedder."""
    for dimension in DIMENSIONS:
        filled_by = vectors.embedder(dimension)
        if filled_by is None:
            raise InvalidInput(f"There is no index of {dimension} components: deploy the stack of the indexes.")
        if filled_by != embedder:
            raise EmbedderMismatch(
                f"The index of {dimension} components belongs to {filled_by or 'an embedder that nobody noted'}, and "
                f"the placeholder to {embedder}: their embeddings cannot be compared. Use another vector bucket."
            )


def _parts(key: str) -> tuple[str, str]:
    found = _KEY.fullmatch(key)
    if found is None:
        raise InvalidInput(f"{key!r} is no key of a batch: it must be as the inventory wrote it.")
    return found["run"], found["number"]


def _listed(path: str) -> Listed:
    place = place_of(path)
    if place is None:
        raise InvalidInput(f"{path!r} is no path of the placeholder: take the inventory again.")
    return Listed(place, path)
