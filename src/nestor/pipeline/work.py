"""What the steps leave for each other: the plan of one run, its segments and pictures, and the embeddings.

plans/<object_id>/<run>/plan.json          the plan
plans/<object_id>/<run>/<first>.jsonl      the segments of a batch, without pictures and clips
plans/<object_id>/<run>/<index>.image      the picture of a segment, <index>.clip its seconds
embeddings/<object_id>/<run>/<first>.jsonl the embeddings of a batch
async/<object_id>/<run>/                   what a job writes
"""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from nestor.documents import manifest_of
from nestor.domain import Manifest, Modality, Segment, Span
from nestor.errors import InvalidInput
from nestor.ports import Objects


@dataclass(frozen=True, slots=True)
class Batch:
    """Segments that are embedded together."""

    first: int
    last: int
    """Inclusive."""

    @property
    def indexes(self) -> range:
        """Their numbers."""
        return range(self.first, self.last + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done with one version of one object."""

    run: str
    etag: str
    """Of the version that was read."""
    manifest: Manifest
    """As it will be; of a job `segments` is what was reckoned, the model may cut one more or less."""
    batches: tuple[Batch, ...]
    """All the segments, in order."""
    job: bool = False
    """A job of the model's own embeds them, and cuts them."""
    seconds: int = 0
    """Length of a job's segments, for audio and video."""

    @property
    def uri(self) -> str:
        """The object's address."""
        return self.manifest.uri

    @property
    def object_id(self) -> str:
        """The asset's stable id."""
        return self.manifest.object_id

    @property
    def key(self) -> str:
        """Where the plan is kept."""
        return f"{self.folder}plan.json"

    @property
    def folder(self) -> str:
        """Where the plan and all that belongs to it is kept."""
        return f"plans/{self.object_id}/{self.run}/"


def batches(count: int, *, size: int) -> tuple[Batch, ...]:
    """Return `count` segments in batches of `size`, the last one smaller."""
    return tuple(Batch(first, min(first + size, count) - 1) for first in range(0, count, size))


class Work:
    """The objects of one bucket that steps hand each other. Raises ObjectsError."""

    def __init__(self, objects: Objects, *, bucket: str) -> None:
        """Keep them in this bucket; nothing is sent yet."""
        self._objects = objects
        self._root = f"s3://{bucket}/"

    def keep(self, plan: Plan, segments: Sequence[Segment]) -> None:
        """Keep the plan last, so that whoever finds it finds all of it."""
        for segment in segments:
            for name in () if plan.job else _shown(segment):
                self._objects.put(self._uri(plan, f"{segment.index}.{name}"), getattr(segment, name))
        for batch in plan.batches:
            some = segments[batch.first : batch.last + 1]
            self._objects.put(self._uri(plan, f"{batch.first}.jsonl"), b"".join(map(_written, some)))
        self._objects.put(self._root + plan.key, orjson.dumps(plan), content_type="application/json")

    def plan(self, key: str) -> Plan:
        """Return the plan kept there. Raises InvalidInput when the key is none of a plan."""
        if not (key.startswith("plans/") and key.endswith("/plan.json")):
            raise InvalidInput(f"{key!r} is no key of a plan: it must be as `plan` gave it.")
        document = orjson.loads(self._objects.get(self._root + key))
        return Plan(
            **document
            | {
                "manifest": manifest_of(document["manifest"]),
                "batches": tuple(Batch(**batch) for batch in document["batches"]),
            }
        )

    def segments(self, plan: Plan, wanted: Batch) -> Iterator[Segment]:
        """Yield the segments of the batches that hold the wanted ones, with pictures and clips."""
        for batch in plan.batches:
            if batch.first <= wanted.last and wanted.first <= batch.last:
                for line in self._objects.lines(self._uri(plan, f"{batch.first}.jsonl")):
                    if (document := orjson.loads(line))["index"] in wanted.indexes:
                        yield self._whole(plan, document)

    def outlines(self, plan: Plan) -> Iterator[Segment]:
        """Yield all the segments, in order, without pictures and clips."""
        for batch in plan.batches:
            for line in self._objects.lines(self._uri(plan, f"{batch.first}.jsonl")):
                yield _read(orjson.loads(line))

    def put_embeddings(self, plan: Plan, batch: Batch, lines: bytes) -> None:
        """Keep what was made of a batch, replacing what was made of it before."""
        self._objects.put(f"{self._root}{_embeddings(plan)}{batch.first}.jsonl", lines)

    def embeddings(self, plan: Plan) -> list[str]:
        """Return the addresses of what was made of the batches, as far as it is there."""
        return [self._root + key for key in self._objects.keys(self._root + _embeddings(plan))]

    def job_folder(self, plan: Plan) -> str:
        """Return the address below which the job of this plan writes."""
        return f"{self._root}async/{plan.object_id}/{plan.run}/"

    def _whole(self, plan: Plan, document: dict[str, Any]) -> Segment:
        outline = _read(document)
        held: dict[str, Any] = {
            name: self._objects.get(self._uri(plan, f"{outline.index}.{name}")) for name in document["shown"]
        }
        return dataclasses.replace(outline, **held)

    def _uri(self, plan: Plan, name: str) -> str:
        return f"{self._root}{plan.folder}{name}"


def _embeddings(plan: Plan) -> str:
    return f"embeddings/{plan.object_id}/{plan.run}/"


def _written(segment: Segment) -> bytes:
    document = {
        "index": segment.index,
        "modality": segment.modality,
        "span": segment.span,
        "text": segment.text,
        "shown": _shown(segment),
    }
    return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)


def _shown(segment: Segment) -> list[str]:
    """Return what is kept beside the outline: the embedder looks at one thing, the clip before the picture."""
    return [name for name in ("clip", "image") if getattr(segment, name) is not None][:1]


def _read(document: dict[str, Any]) -> Segment:
    modality, span = Modality(document["modality"]), Span(**document["span"])
    return Segment(document["index"], modality, span, document["text"])
