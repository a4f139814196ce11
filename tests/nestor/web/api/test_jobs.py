"""Jobs without a server: what is retried, what is kept over a restart, and what an embedder in slices gives."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nestor.domain import FULL_DIMENSION, Embedding, Modality, Segment, Span
from nestor.errors import EmbedderUnavailable, HomeUnusable, SegmentsRefused
from nestor.outcome import Labels
from nestor.uploads import AssetBusy, Job, State, Stopped, Telling, Uploads
from nestor.uploads.jobs import Records
from nestor.uploads.telling import SLICE
from nestor.wiring import Nestor


class Moody:
    """An embedder that is away for its first calls."""

    def __init__(self, embedder: Any, *, away: int) -> None:
        """Embed by this one after so many calls."""
        self._embedder, self.away, self.id = embedder, away, embedder.id

    def embed_segments(self, segments: Sequence[Segment]) -> Embedding:
        """Fail or embed."""
        if self.away:
            self.away -= 1
            raise EmbedderUnavailable("Away for the moment.")
        rows: Embedding = self._embedder.embed_segments(segments)
        return rows


def _uploads(nestor: Nestor, embedder: Any = None, *, pauses: Sequence[float] = (0.0, 0.0)) -> Uploads:
    return Uploads(
        nestor.settings.home,
        ingesting=lambda tell: nestor._ingesting(Telling(embedder or nestor.embedder, tell)),
        library=nestor.library,
        manifests=nestor.manifests,
        pauses=pauses,
    )


def _received(uploads: Uploads, **files: str) -> tuple[Path, ...]:
    incoming = uploads.receive()
    for name, text in files.items():
        incoming.begin(f"{name}.txt")
        incoming.write(text.encode())
        incoming.end()
    return incoming.keep()


def _over(uploads: Uploads, job: Job) -> Job:
    tick = threading.Event()
    for _ in range(1000):
        now = uploads.job(job.id)
        if now is not None and now.is_over:
            return now
        tick.wait(0.02)
    raise AssertionError(uploads.job(job.id))


@pytest.mark.parametrize(("away", "state"), [(2, State.DONE), (3, State.FAILED)], ids=["comes back", "stays away"])
def test_what_may_succeed_later_is_tried_again(nestor: Nestor, away: int, state: State) -> None:
    """As often as there are pauses; then the job fails and says why, and the next one is begun."""
    moody = Moody(nestor.embedder, away=away)
    uploads = _uploads(nestor, moody)
    uploads.start()
    job = _over(uploads, uploads.submit(_received(uploads, a="One swallow.")))
    assert job.state is state
    assert job.error == ("" if state is State.DONE else "Away for the moment.")
    assert _over(uploads, uploads.submit(_received(uploads, b="Another."))).state is State.DONE
    assert uploads.close()


def test_a_job_outlives_the_process(nestor: Nestor) -> None:
    """What was submitted and not begun is done by whoever starts next, under its labels; finished ones are told of."""
    before = _uploads(nestor)
    submitted = before.submit(_received(before, a="One swallow."), labels=Labels("birds", ("x",)))
    after = _uploads(nestor)
    after.start()
    assert _over(after, submitted).state is State.DONE
    assert after.close()
    (manifest,) = nestor.manifests.all()
    assert (manifest.collection, manifest.tags) == ("birds", ("x",))
    third = _uploads(nestor)
    third.start()
    assert [(job.id, job.state) for job in third.jobs()] == [(submitted.id, State.DONE)]
    assert third.close()


def test_a_damaged_record_and_a_cut_upload_stop_nothing(nestor: Nestor) -> None:
    """The one is passed by, the other removed."""
    (nestor.settings.home / "jobs").mkdir(parents=True)
    (nestor.settings.home / "jobs" / "x.json").write_text("{")
    uploads = _uploads(nestor)
    cut = nestor.settings.home / "uploads" / ".partial-0"
    cut.mkdir(parents=True)
    (cut / "cut.txt").write_text("half of")
    uploads.start()
    assert uploads.jobs() == []
    assert list((nestor.settings.home / "uploads").iterdir()) == []
    assert uploads.close()


def test_stopping_in_the_middle_leaves_the_job_to_the_next(nestor: Nestor) -> None:
    """A stop between two slices: the record says that it is not over."""
    reached = threading.Event()

    class Slow:
        id = nestor.embedder.id

        def embed_segments(self, segments: Sequence[Segment]) -> Embedding:
            reached.set()
            assert uploads._stopping.wait(20)
            return nestor.embedder.embed_segments(segments)

    uploads = _uploads(nestor, Slow())
    uploads.start()
    job = uploads.submit(_received(uploads, a="One swallow."))
    assert reached.wait(20)
    assert uploads.close(seconds=20)
    assert list(nestor.manifests.all()) == []
    after = _uploads(nestor)
    after.start()
    assert _over(after, job).state is State.DONE
    assert after.close()


def test_slices_give_what_the_whole_gives(nestor: Nestor) -> None:
    """Equal rows, and word of each slice."""
    segments = [Segment(index, Modality.TEXT, Span(), f"Text {index}.") for index in range(2 * SLICE + 1)]
    told: list[tuple[int, int]] = []
    rows = Telling(nestor.embedder, lambda done, total: told.append((done, total))).embed_segments(segments)
    np.testing.assert_array_equal(rows, nestor.embedder.embed_segments(segments))
    assert told == [(done, len(segments)) for done in (0, SLICE, 2 * SLICE, len(segments))]


def test_refused_segments_keep_their_places(nestor: Nestor) -> None:
    """Reasons by position in the whole, rows of the others beside them."""

    class Refusing:
        id = "refusing"

        def embed_segments(self, segments: Sequence[Segment]) -> Embedding:
            rows = np.ones((len(segments), FULL_DIMENSION), np.float32)
            if len(segments) < SLICE:
                rows[0] = 0
                raise SegmentsRefused("one", reasons={0: "blocked"}, embeddings=rows)
            return rows

    segments = [Segment(index, Modality.TEXT, Span(), "x") for index in range(SLICE + 2)]
    with pytest.raises(SegmentsRefused) as refused:
        Telling(Refusing(), lambda *_: None).embed_segments(segments)  # type: ignore[arg-type] # it embeds no questions
    assert refused.value.reasons == {SLICE: "blocked"}
    assert refused.value.embeddings.shape == (SLICE + 2, FULL_DIMENSION)
    assert not refused.value.embeddings[SLICE].any()


def test_what_tells_may_stop_the_work(nestor: Nestor) -> None:
    """Its error leaves the embedder as it is."""

    def stop(*_: int) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        Telling(nestor.embedder, stop).embed_segments([Segment(0, Modality.TEXT, Span(), "x")])


def test_sidecars_stay_with_their_file(nestor: Nestor) -> None:
    """A caption that comes with a picture is read with it, and is no asset of its own."""
    uploads = _uploads(nestor)
    incoming = uploads.receive()
    for name, content in (("film.srt", b"1\n00:00:00,000 --> 00:00:01,000\nHello\n"), ("film.mp3", b"\xff\xfb")):
        incoming.begin(name)
        incoming.write(content)
        incoming.end()
    job = uploads.submit(incoming.keep())
    assert [file.name for file in job.files] == ["film.mp3"]


def test_an_upload_of_what_is_being_deleted_is_not_lost(nestor: Nestor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deleted between the look at its file and the job: refused, or the file is there when the job is answered."""
    uploads = _uploads(nestor)
    uploads.start()
    (stored,) = _over(uploads, uploads.submit(_received(uploads, a="One swallow."))).files
    deleting = threading.Thread(target=uploads.delete, args=[stored.object_id])
    submit = uploads.submit

    def submit_later(paths: Sequence[Path], **named: Any) -> Job:
        deleting.start()
        deleting.join(1)
        return submit(paths, **named)

    incoming = uploads.receive()
    incoming.begin("a.txt")
    incoming.write(b"One swallow.")
    incoming.end()
    monkeypatch.setattr(uploads, "submit", submit_later)
    with pytest.raises(AssetBusy):
        uploads.take(incoming)
    deleting.join(20)
    assert list(nestor.manifests.all()) == []
    monkeypatch.undo()
    assert _over(uploads, uploads.submit(_received(uploads, a="One swallow."))).files[0].status == "stored"
    assert uploads.close()


def test_jobs_are_told_of_while_a_record_is_written(nestor: Nestor, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow disk holds up whoever uploads, and nobody else; a record that cannot be written leaves no job."""
    uploads = _uploads(nestor)
    writing, told = threading.Event(), threading.Event()

    def put(*_: Any) -> None:
        writing.set()
        assert told.wait(5)
        raise HomeUnusable("The disk is full.")

    monkeypatch.setattr(Records, "put", put)
    with ThreadPoolExecutor(2) as threads:
        submitted = threads.submit(uploads.submit, _received(uploads, a="One swallow."))
        assert writing.wait(20)
        assert len(threads.submit(uploads.jobs).result(2)) == 1
        told.set()
        with pytest.raises(HomeUnusable):
            submitted.result(20)
    assert uploads.jobs() == []
