from pathlib import Path

import pytest
from tests.nestor.pipeline.conftest import DictObjects

from nestor.adapters.manifests import SqliteManifests
from nestor.adapters.object_manifests import ObjectManifests
from nestor.domain import Manifest, Modality, Status
from nestor.errors import ObjectsError

ONE = Manifest(
    uri="s3://source/b.txt",
    status=Status.STORED,
    segments=3,
    modality=Modality.TEXT,
    tags=("a", "b"),
    warnings=("w",),
    content_hash="h",
    uploaded_at=7,
)
OTHER = Manifest(uri="s3://source/a.txt", status=Status.STORING, segments=0)


@pytest.fixture
def objects() -> DictObjects:
    """Return an empty store."""
    return DictObjects()


def test_round_trip(objects: DictObjects) -> None:
    """What was put comes back equal, ordered by URI; what was deleted does not."""
    manifests = ObjectManifests(objects, bucket="state")
    manifests.put([ONE, OTHER])
    assert list(objects.held) == [f"s3://state/manifests/{each.object_id}.json" for each in (ONE, OTHER)]
    fresh = ObjectManifests(objects, bucket="state")
    assert fresh.get(ONE.object_id) == ONE
    assert list(fresh.all()) == [OTHER, ONE]
    fresh.delete([ONE.object_id])
    assert fresh.get(ONE.object_id) is None


def test_the_later_writer_is_told(objects: DictObjects) -> None:
    """Of two that read the same version the second to write is refused, and may after reading again."""
    first, second = ObjectManifests(objects, bucket="state"), ObjectManifests(objects, bucket="state")
    assert first.get(ONE.object_id) is second.get(ONE.object_id) is None
    first.put([ONE])
    with pytest.raises(ObjectsError) as raised:
        second.put([ONE])
    assert raised.value.retryable
    second.get(ONE.object_id)
    second.put([ONE])
    with pytest.raises(ObjectsError):
        first.put([ONE])


def test_own_writes_follow_each_other(objects: DictObjects) -> None:
    """One piece of work may write as often as it wants."""
    manifests = ObjectManifests(objects, bucket="state")
    for _ in range(3):
        manifests.put([ONE])
    assert manifests.get(ONE.object_id) == ONE


def test_documents_of_one_machine(objects: DictObjects, tmp_path: Path) -> None:
    """The document is the one that the command line keeps in its database."""
    manifests = ObjectManifests(objects, bucket="state")
    manifests.put([ONE])
    kept = SqliteManifests(tmp_path / "m.sqlite")
    kept.put([ONE])
    (document,) = (row[0] for row in kept._database.execute("SELECT document FROM manifest"))
    assert objects.get(f"s3://state/manifests/{ONE.object_id}.json") == document
    kept.close()
