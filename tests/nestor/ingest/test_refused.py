"""What the embedder refuses, and what happens when it is not there."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nestor import media
from nestor.domain import (
    DIMENSIONS,
    Embedding,
    Manifest,
    Modality,
    Segment,
    Span,
    Status,
    file_uri,
    object_id,
    segment_key,
)
from nestor.errors import EmbedderUnavailable, HomeUnusable, NestorError, SegmentsRefused, VectorsError
from nestor.nesting import nest
from nestor.outcome import Outcome, Report
from nestor.ports import Embedder
from nestor.settings import Settings
from nestor.storing import Embedded, Storing
from nestor.wiring import Nestor

Ingesting = Callable[..., list[Outcome]]
Looking = Callable[[Nestor], dict[str, Any]]


class Choosy:
    """The digest embedder, but for texts that hold a word; gone for good after some batches."""

    def __init__(self, real: Embedder) -> None:
        """Embed by another one."""
        self._real = real
        self.id = real.id
        self.refuses = "never"
        self.batches_left = 1_000

    def embed_segments(self, segments: Sequence[Segment]) -> Embedding:
        """Embed, refuse, or be gone."""
        if self.batches_left == 0:
            raise EmbedderUnavailable("It throttles beyond patience.")
        self.batches_left -= 1
        rows = self._real.embed_segments(segments)
        reasons = {at: "RAI_VIOLATION: no." for at, segment in enumerate(segments) if self.refuses in segment.text}
        if reasons:
            rows[list(reasons)] = 0
            raise SegmentsRefused("no.", reasons=reasons, embeddings=rows)
        return rows

    def embed_text_query(self, text: str) -> Embedding:
        """Embed."""
        return self._real.embed_text_query(text)

    def embed_segments_query(self, segments: Sequence[Segment]) -> Embedding:
        """Embed."""
        return self._real.embed_segments_query(segments)


@pytest.fixture
def choosy(digest_embedder: Embedder) -> Choosy:
    """Return an embedder that refuses on cue."""
    return Choosy(digest_embedder)


@pytest.fixture
def nestor(settings: Settings, choosy: Choosy) -> Any:
    """Return everything wired with the choosy embedder."""
    with Nestor(settings, embedder=choosy) as wired:
        yield wired


def keys(stored: dict[str, Any], path: Path) -> set[int]:
    """Return the indexes of the file's segments that have a row; the same at every size."""
    found = {
        dimension: {
            int(key.rpartition("_")[2]) for key in stored[f"{dimension}"] if key.startswith(object_id(file_uri(path)))
        }
        for dimension in DIMENSIONS
    }
    assert len({frozenset(each) for each in found.values()}) == 1
    return found[256]


def test_refused_segments_are_left_out_and_told_of(
    nestor: Nestor, choosy: Choosy, folder: Path, ingest: Ingesting, stored: Looking
) -> None:
    """The others are stored, each with its own text and row; the manifest, the outcome and the report say which not."""
    choosy.refuses = "Part 1 of"
    outcomes = {outcome.path.name: outcome for outcome in ingest(nestor, folder)}
    long = outcomes["long.txt"]
    assert keys(stored(nestor), folder / "long.txt") == {0, 2, 3}
    assert long.manifest is not None
    assert (long.manifest.status, long.manifest.segments, long.segments) == (Status.STORED, 4, 3)
    assert long.manifest.warnings == ("Segment 1 was refused by the embedder and is not stored: RAI_VIOLATION: no.",)
    assert nestor.manifests.get(long.manifest.object_id) == long.manifest
    report = Report()
    for outcome in outcomes.values():
        report.add(outcome)
    rows = stored(nestor)["3072"]
    assert report.segments == len(rows) == sum(report.modalities.values())
    for row, metadata in rows.values():
        want = choosy.embed_text_query(metadata["text"]) if metadata["file_name"] != "long.txt" else None
        assert want is None or np.allclose(row, want, atol=1e-6)
    part_two = segment_key(long.manifest.object_id, 2)
    assert "Part 2 of" in rows[part_two][1]["text"]
    # The same file again is unchanged: it is not asked for again.
    assert all(outcome.skipped for outcome in ingest(nestor, folder / "long.txt"))


def test_a_new_refusal_removes_what_was_stored(
    nestor: Nestor, choosy: Choosy, folder: Path, ingest: Ingesting, stored: Looking
) -> None:
    """The file changed, and what its second segment was is found no more."""
    ingest(nestor, folder)
    path = folder / "long.txt"
    path.write_text(path.read_text().replace("Part 1 of", "Thing 1 of"))
    choosy.refuses = "Thing 1 of"
    ingest(nestor, folder)
    assert keys(stored(nestor), path) == {0, 2, 3}
    choosy.refuses = "never"
    path.write_text(path.read_text() + "!")
    ingest(nestor, folder)
    assert keys(stored(nestor), path) == {0, 1, 2, 3}
    nestor.library.delete(file_uri(path))
    assert keys(stored(nestor), path) == set()


def test_a_file_refused_as_a_whole_is_a_failure(
    nestor: Nestor, choosy: Choosy, folder: Path, ingest: Ingesting, stored: Looking
) -> None:
    """It has no rows and is marked FAILED with the reason; its neighbours are stored; it is tried again."""
    choosy.refuses = "summer"
    outcomes = {outcome.path.name: outcome for outcome in ingest(nestor, folder)}
    failure = outcomes["one.txt"].failure
    assert failure is not None
    assert (failure.reason, "RAI_VIOLATION" in failure.message) == ("refused", True)
    manifest = nestor.manifests.get(object_id(file_uri(folder / "one.txt")))
    assert manifest is not None
    assert (manifest.status, manifest.reason[:8]) == (Status.FAILED, "refused:")
    assert keys(stored(nestor), folder / "one.txt") == set()
    assert keys(stored(nestor), folder / "long.txt") == {0, 1, 2, 3}
    choosy.refuses = "never"
    ingest(nestor, folder)
    assert keys(stored(nestor), folder / "one.txt") == {0}


def test_a_run_that_the_embedder_ends_is_completed_by_another(
    nestor: Nestor, choosy: Choosy, folder: Path, stored: Looking, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What was stored before is told of and stays; the next run does the rest, and asks for nothing twice."""
    monkeypatch.setattr("nestor.ingest.BATCH_SEGMENTS", 1)
    choosy.batches_left = 2
    told: list[Outcome] = []
    with pytest.raises(EmbedderUnavailable):
        told.extend(nestor.ingest.run(media.discover([folder])))  # keeps what came before the error
    done = {outcome.path for outcome in told if outcome.manifest}
    assert len(done) == 2
    choosy.batches_left = 1_000
    again = list(nestor.ingest.run(media.discover([folder])))
    assert {outcome.path for outcome in again if outcome.skipped} == done
    assert choosy.batches_left == 1_000 - 2
    with Nestor(Settings(home=tmp_path / "other"), embedder=choosy) as undisturbed:
        list(undisturbed.ingest.run(media.discover([folder])))
        assert stored(undisturbed) == stored(nestor)


@pytest.mark.parametrize("error", [VectorsError("Full.", code="x"), HomeUnusable("Full.")], ids=["vectors", "home"])
def test_a_run_that_the_store_ends_tells_what_is_stored(
    nestor: Nestor, folder: Path, monkeypatch: pytest.MonkeyPatch, error: NestorError
) -> None:
    """All of it, also what is stored after the batch that failed; the next run does the rest."""
    monkeypatch.setattr("nestor.ingest.BATCH_SEGMENTS", 1)
    store, calls = Storing.store, [0]

    def full_at_the_second(self: Storing, batch: Sequence[Embedded]) -> list[Manifest]:
        calls[0] += 1
        if calls[0] == 2:
            raise error
        return store(self, batch)

    told: list[Outcome] = []
    with monkeypatch.context() as patched:
        patched.setattr(Storing, "store", full_at_the_second)
        with pytest.raises(type(error)):
            told.extend(nestor.ingest.run(media.discover([folder])))
    done = {outcome.path for outcome in told if outcome.manifest}
    assert {file_uri(path) for path in done} == {each.uri for each in nestor.manifests.all() if each.status == "stored"}
    assert done
    again = list(nestor.ingest.run(media.discover([folder])))
    assert {outcome.path for outcome in again if outcome.skipped} == done


class Changed(Exception):
    """The file was replaced meanwhile."""


def test_what_confirm_raises_leaves_the_asset_unfinished(nestor: Nestor, choosy: Choosy) -> None:
    """The rows are in by then, nothing stale is removed yet, and the manifest says STORING; without it, STORED."""
    nestor.vectors.prepare(DIMENSIONS, embedder=choosy.id)
    storing = Storing(vectors=nestor.vectors, manifests=nestor.manifests)
    segments = [Segment(index, Modality.TEXT, Span(), f"text {index}") for index in range(4)]
    rows = choosy.embed_segments(segments)
    before = Manifest(uri="file:///a", status=Status.STORED, segments=0)
    first = Embedded(before=None, after=replace(before, segments=4), segments=segments, embeddings=nest(rows))
    assert storing.store([first]) == [first.after]

    def changed() -> None:
        listed = set(nestor.vectors.keys(256))
        assert len(listed) == 4
        found = nestor.manifests.get(before.object_id)
        assert found is not None
        assert (found.status, found.segments) == (Status.STORING, 4)
        raise Changed

    after = replace(before, segments=1)
    second = Embedded(before=first.after, after=after, segments=segments[:1], embeddings=nest(rows[:1]))
    with pytest.raises(Changed):
        storing.store([second], confirm=changed)
    assert len(set(nestor.vectors.keys(3072))) == 4
    assert storing.store([second], confirm=lambda: None) == [after]
    assert set(nestor.vectors.keys(3072)) == {segment_key(before.object_id, 0)}
