import re

import pytest
from tests.nestor.pipeline.conftest import DictObjects

from nestor.domain import Manifest, Modality, Segment, Span, Status
from nestor.errors import InvalidInput, ObjectMissing
from nestor.pipeline.work import Batch, Plan, Work, batches

URI = "s3://source/a b.pdf"


def _plan(count: int, *, job: bool = False) -> Plan:
    manifest = Manifest(
        uri=URI, status=Status.STORED, segments=count, modality=Modality.DOCUMENT, tags=("x",), warnings=("w",)
    )
    return Plan(run="r", etag='"1"', manifest=manifest, batches=batches(count, size=4), job=job, seconds=5)


def _segments(count: int) -> list[Segment]:
    return [
        Segment(index, Modality.DOCUMENT, Span(page=index + 1), f"Page {index}\n\u2028", b"jpeg%d" % index)
        for index in range(count)
    ]


@pytest.mark.parametrize("count", [1, 4, 5, 9])
def test_batches(count: int) -> None:
    """Batches hold every segment once, in order, none more than its size."""
    made = batches(count, size=4)
    assert [index for batch in made for index in batch.indexes] == list(range(count))
    assert max(len(batch.indexes) for batch in made) <= 4


def test_round_trip(objects: DictObjects) -> None:
    """A plan and its segments come back as they were, pictures with those that are asked for only."""
    work, plan, segments = Work(objects, bucket="steps"), _plan(9), _segments(9)
    work.keep(plan, segments)
    assert work.plan(plan.key) == plan
    objects.asked.clear()
    assert list(work.segments(plan, Batch(4, 7))) == segments[4:8]
    assert not [uri for uri in objects.asked if re.search(r"/(0|8)\.(jsonl|image)$", uri)], "other batches were read"
    assert [outline.text for outline in work.outlines(plan)] == [segment.text for segment in segments]
    assert all(outline.image is None for outline in work.outlines(plan))


def test_clip_before_picture(objects: DictObjects) -> None:
    """Of a segment with a clip the picture is not kept: the embedder looks at one of them."""
    work, plan = Work(objects, bucket="steps"), _plan(1)
    work.keep(plan, [Segment(0, Modality.VIDEO, Span(), "", b"jpeg", b"mp4")])
    (segment,) = work.segments(plan, Batch(0, 0))
    assert (segment.clip, segment.image) == (b"mp4", None)
    assert len(list(objects.keys("s3://steps/"))) == 3


def test_job_keeps_no_pictures(objects: DictObjects) -> None:
    """What a job embeds needs no pictures."""
    work, plan = Work(objects, bucket="steps"), _plan(3, job=True)
    work.keep(plan, _segments(3))
    assert not [key for key in objects.keys("s3://steps/") if key.endswith(".image")]


def test_plan_comes_last(objects: DictObjects) -> None:
    """A crash while it is kept leaves no plan, so nobody finds half of one."""
    work, plan = Work(objects, bucket="steps"), _plan(2)
    work.keep(plan, _segments(2))
    assert objects.held[f"s3://steps/{plan.key}"][1] == max(etag for _, etag in objects.held.values())
    with pytest.raises(ObjectMissing):
        work.plan("plans/other/r/plan.json")


def test_key_of_something_else(objects: DictObjects) -> None:
    """A key that is none of a plan is refused before anything is read."""
    with pytest.raises(InvalidInput, match="no key of a plan"):
        Work(objects, bucket="steps").plan("embeddings/x/y/0.jsonl")
    assert not objects.asked
