"""Manifests that are listed again and again."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from tests.nestor.pipeline.conftest import DictObjects

from nestor.adapters.listed_manifests import ListedManifests
from nestor.adapters.object_manifests import ObjectManifests
from nestor.domain import Manifest, Status
from nestor.errors import ObjectsError

ASSETS = [Manifest(uri=f"s3://source/{number:02}.txt", status=Status.STORED, segments=number) for number in range(40)]


class Listed(DictObjects):
    """Objects that are listed with their ETags."""

    vanishing = ""
    """What is listed, and gone when it is read."""

    def entries(self, uri: str) -> Iterator[tuple[str, str]]:
        """Yield key and ETag of what lies below."""
        found = sorted((name, etag) for name, (_, etag) in self.held.items() if name.startswith(uri))
        self.held.pop(self.vanishing, None)
        yield from ((name.removeprefix("s3://state/"), etag) for name, etag in found)


@pytest.fixture
def objects() -> Listed:
    """Return a store that holds all assets."""
    held = Listed()
    ObjectManifests(held, bucket="state").put(ASSETS)
    held.asked.clear()
    return held


def test_what_did_not_change_is_read_once(objects: Listed) -> None:
    """The second list costs nothing but the listing; then one request for each that is new or changed."""
    manifests = ListedManifests(objects, bucket="state")
    assert list(manifests.all()) == ASSETS
    assert len(objects.asked) == len(ASSETS)
    assert list(manifests.all()) == ASSETS
    assert len(objects.asked) == len(ASSETS)
    changed = replace(ASSETS[3], status=Status.DELETING)
    new = Manifest(uri="s3://source/new.txt", status=Status.STORING, segments=0)
    other = ObjectManifests(objects, bucket="state")
    other.put([changed, new])
    other.delete([ASSETS[5].object_id])
    objects.asked.clear()
    assert list(manifests.all()) == [each for each in [*ASSETS[:3], changed, *ASSETS[4:], new] if each != ASSETS[5]]
    assert len(objects.asked) == 2


def test_one_asset_is_read_as_it_is_now(objects: Listed) -> None:
    """Whatever was listed before."""
    manifests = ListedManifests(objects, bucket="state")
    list(manifests.all())
    changed = replace(ASSETS[0], segments=99)
    ObjectManifests(objects, bucket="state").put([changed])
    assert manifests.get(ASSETS[0].object_id) == changed


def test_an_asset_that_goes_meanwhile(objects: Listed) -> None:
    """Deleted between listing and reading, it is not there."""
    objects.vanishing = f"s3://state/manifests/{ASSETS[7].object_id}.json"
    assert list(ListedManifests(objects, bucket="state").all()) == [*ASSETS[:7], *ASSETS[8:]]


def test_a_failure_is_no_empty_list(objects: Listed, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is raised, and the next list is whole."""
    manifests = ListedManifests(objects, bucket="state")
    with monkeypatch.context() as patched:
        patched.setattr(objects, "fetch", lambda _: (_ for _ in ()).throw(ObjectsError("slow down", code="SlowDown")))
        with pytest.raises(ObjectsError, match="slow down"):
            list(manifests.all())
    assert list(manifests.all()) == ASSETS


def test_threads_may_list_together(objects: Listed) -> None:
    """Each gets all of it, and together they read everything once."""
    manifests = ListedManifests(objects, bucket="state")
    with ThreadPoolExecutor(8) as pool:
        lists = list(pool.map(lambda _: list(manifests.all()), range(8)))
    assert lists == [ASSETS] * 8
    assert len(objects.asked) == len(ASSETS)
