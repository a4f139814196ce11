"""What the system test cannot see: order, reasons, and what is left alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from tests.nestor.pipeline.conftest import DictObjects

from nestor.adapters.object_manifests import ObjectManifests
from nestor.domain import DIMENSIONS, Embedding, Manifest, Modality, Segment, Span, Status
from nestor.errors import EmbeddingFailed, ObjectsError
from nestor.pipeline.store import AssetStore, Outcome, Refused, Stored
from nestor.pipeline.work import Batch, Plan, Work, batches
from nestor.ports import VectorRow

URI = "s3://source/a.txt"


@dataclass(frozen=True)
class One:
    """A result."""

    index: int
    embedding: "Embedding | None" = None
    start_char: int | None = None
    end_char: int | None = None
    start_seconds: float | None = None
    end_seconds: float | None = None
    reason: str = ""
    message: str = ""
    retryable: bool = False


class Files:
    """Results by address."""

    def __init__(self) -> None:
        """Hold nothing."""
        self.held: dict[str, list[One]] = {}

    def of_job(self, uri: str) -> Iterator[One]:
        """Yield those of a job."""
        return iter(self.held[uri])

    def of_file(self, uri: str) -> Iterator[One]:
        """Yield those of a file."""
        return iter(self.held[uri])

    def job_below(self, folder: str) -> str:
        """Return the job."""
        return folder

    def line(self, index: int, **_: Any) -> bytes:
        """Return nothing of use."""
        return b""


class Rows:
    """Indexes that note what is done to them, and may do something else meanwhile."""

    def __init__(self) -> None:
        """Hold nothing."""
        self.held: dict[int, dict[str, VectorRow]] = {dimension: {} for dimension in DIMENSIONS}
        self.meanwhile: Any = None

    def put(self, dimension: int, rows: Sequence[VectorRow]) -> None:
        """Keep rows."""
        self.held[dimension] |= {row.key: row for row in rows}
        if self.meanwhile:
            self.meanwhile()

    def delete(self, dimension: int, keys: Sequence[str]) -> None:
        """Remove rows."""
        for key in keys:
            self.held[dimension].pop(key, None)

    def __getattr__(self, name: str) -> Any:
        """Fail for what storing has no business to do."""
        raise AssertionError(name)


class Stage:
    """Everything that a store needs."""

    def __init__(self, objects: DictObjects) -> None:
        """Plan an object of three segments."""
        self.objects, self.files, self.rows = objects, Files(), Rows()
        objects.put(URI, b"content")
        self.work = Work(objects, bucket="work")
        manifest = Manifest(uri=URI, status=Status.STORED, segments=3, modality=Modality.TEXT)
        self.plan = Plan(run="r", etag=objects.info(URI).etag, manifest=manifest, batches=batches(3, size=2))
        self.work.keep(self.plan, [Segment(n, Modality.TEXT, Span(), f"Part {n}") for n in range(3)])
        for batch in self.plan.batches:
            self.work.put_embeddings(self.plan, batch, b"")
        self.addresses = self.work.embeddings(self.plan)
        self.files.held = {self.addresses[0]: [good(0), good(1)], self.addresses[1]: [good(2)]}

    def store(self, **asked: Any) -> Stored:
        """Store once, with everything fresh."""
        store = AssetStore(
            objects=self.objects,
            manifests=ObjectManifests(self.objects, bucket="state"),
            vectors=self.rows,
            work=self.work,
            results=self.files,
        )
        return store.store(self.plan.key, **asked)

    @property
    def manifest(self) -> Manifest | None:
        """What is said to be stored."""
        return ObjectManifests(self.objects, bucket="state").get(self.plan.object_id)


def good(index: int) -> One:
    """Return a segment with an embedding."""
    return One(index, np.random.default_rng(index).normal(size=3072).astype(np.float32))


def bad(index: int, *, retryable: bool = False) -> One:
    """Return a segment without one."""
    return One(index, reason="SOMETHING", message="words", retryable=retryable)


@pytest.fixture
def stage(objects: DictObjects) -> Stage:
    """Return three segments ready to be stored."""
    return Stage(objects)


def test_stored(stage: Stage) -> None:
    """All segments lie in all indexes with unit vectors, and the manifest says so."""
    assert stage.store() == Stored(outcome=Outcome.STORED, segments=3)
    for dimension, rows in stage.rows.held.items():
        assert len(rows) == 3
        for row in rows.values():
            assert np.linalg.norm(row.embedding) == pytest.approx(1, abs=1e-6)
            assert row.embedding.shape == (dimension,)
    assert stage.manifest == stage.plan.manifest


def test_missing_embedding(stage: Stage) -> None:
    """A segment without a line is an error, and nothing is said to be stored."""
    stage.files.held[stage.addresses[1]] = []
    with pytest.raises(EmbeddingFailed, match="segment 2"):
        stage.store()
    assert stage.manifest is None


def test_refused(stage: Stage) -> None:
    """A refused segment is told of in the answer and in the manifest, which counts its key."""
    stage.files.held[stage.addresses[1]] = [bad(2)]
    assert stage.store().refused == (Refused(2, "SOMETHING", "words"),)
    manifest = stage.manifest
    assert manifest is not None
    assert (manifest.segments, manifest.warnings) == (3, ("Segment 2 was not embedded (SOMETHING: words).",))


def test_all_refused(stage: Stage) -> None:
    """An asset of which nothing could be embedded is stored with no rows, and says so."""
    stage.files.held = {stage.addresses[0]: [bad(0), bad(1)], stage.addresses[1]: [bad(2)]}
    stored = stage.store()
    assert (stored.outcome, stored.segments, len(stored.refused)) == (Outcome.STORED, 0, 3)


@pytest.mark.parametrize(("attempt", "outcome"), [(0, Outcome.RETRY), (1, Outcome.RETRY), (2, Outcome.STORED)])
def test_rounds(stage: Stage, attempt: int, outcome: Outcome) -> None:
    """What a job may embed another time is asked for twice, then reported."""
    stage.files.held = {"job": [good(0), bad(1, retryable=True), bad(2)], **{uri: [] for uri in stage.addresses}}
    stored = stage.store(job_uri="job", attempt=attempt)
    assert stored.outcome is outcome
    if outcome is Outcome.RETRY:
        assert stored.batches == (Batch(1, 1),)
        assert stage.manifest is None
    else:
        assert [each.segment for each in stored.refused] == [1, 2]


def test_what_was_embedded_again_counts(stage: Stage) -> None:
    """A line of our own replaces the job's failure."""
    stage.files.held = {
        "job": [good(0), bad(1, retryable=True)],
        stage.addresses[0]: [good(1)],
        stage.addresses[1]: [],
    }
    assert stage.store(job_uri="job", attempt=1) == Stored(outcome=Outcome.STORED, segments=2)


def test_many_failures_are_few_batches(stage: Stage) -> None:
    """Failed segments are asked for in ranges that hold at most sixteen of them."""
    failed = [bad(2 * n, retryable=True) for n in range(40)]
    stage.files.held = {"job": [good(2 * n + 1) for n in range(40)] + failed, **{uri: [] for uri in stage.addresses}}
    ranges = stage.store(job_uri="job").batches
    assert [(batch.first, batch.last) for batch in ranges] == [(0, 30), (32, 62), (64, 78)]


@pytest.mark.parametrize("gone", [True, False], ids=["deleted", "overwritten"])
def test_changed_before(stage: Stage, *, gone: bool) -> None:
    """Of an object that changed nothing is put; the manifest counts what an earlier attempt may have put."""
    stage.store()
    if gone:
        stage.objects.delete(URI)
    else:
        stage.objects.put(URI, b"other")
    stage.rows.held[256].clear()
    assert stage.store().outcome is Outcome.CHANGED
    assert not stage.rows.held[256]
    manifest = stage.manifest
    assert manifest is not None
    assert (manifest.status, manifest.segments) == (Status.STORING, 3)


def test_changed_while_it_was_stored(stage: Stage) -> None:
    """An object that changes while its rows are put is not said to be stored."""
    stage.rows.meanwhile = lambda: stage.objects.put(URI, b"other")
    assert stage.store().outcome is Outcome.CHANGED
    manifest = stage.manifest
    assert manifest is not None
    assert manifest.status is Status.STORING


def test_two_at_once(stage: Stage) -> None:
    """When another marks the manifest between the puts, this one does not finish, and may try again."""

    def other() -> None:
        stage.rows.meanwhile = None
        stage.store()

    stage.rows.meanwhile = other
    with pytest.raises(ObjectsError) as raised:
        stage.store()
    assert raised.value.retryable
    assert stage.store().outcome is Outcome.STORED
