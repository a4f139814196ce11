"""What is wrong is found, and what is well is not called wrong."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.standins.plain import Reply, Request, answering, forwarded

from nestor.doctor import Health
from nestor.domain import DIMENSIONS, Manifest, Status, segment_key
from nestor.ports import VectorRow
from nestor.settings import Settings
from nestor.wiring import Nestor


@pytest.fixture
def filled(nestor: Nestor, tmp_path: Path) -> Nestor:
    """Return a home of five texts of some segments, set up as `nestor setup` does."""
    nestor.setup()
    for number in range(5):
        (tmp_path / f"{number}.txt").write_text(" ".join(f"word{number}x{each}" for each in range(300)))
    list(nestor.ingest.run(sorted(tmp_path.glob("*.txt"))))
    return nestor


@pytest.fixture
def first(filled: Nestor) -> Manifest:
    """Return the manifest of the first text."""
    return next(filled.manifests.all())


def examined(nestor: Nestor) -> Health:
    """Look at everything."""
    return nestor.doctor().examine(writing=True)


def wrong(health: Health) -> list[tuple[str, str]]:
    """Return check and words of what is wrong; each says how to mend it."""
    assert all(finding.mend for finding in health.findings)
    assert health.well == (not any(finding.wrong for finding in health.findings))
    return [(finding.check, finding.what) for finding in health.findings if finding.wrong]


def test_a_home_that_is_well(filled: Nestor) -> None:
    """Nothing is found, and the counts are told."""
    health = examined(filled)
    assert health.findings == ()
    assert set(health.vectors) == set(DIMENSIONS)
    assert len(set(health.vectors.values())) == 1
    assert min(health.vectors.values()) >= 5


def test_an_empty_home(nestor: Nestor) -> None:
    """Four indexes are missing, and the cure is one command."""
    health = examined(nestor)
    assert [check for check, _ in wrong(health)] == ["indexes"] * 4
    assert {finding.mend for finding in health.findings} == {"Run `nestor setup`."}
    nestor.setup()
    assert examined(nestor).well


def test_a_dropped_index_is_no_fault(filled: Nestor) -> None:
    """It is told, with the way back; a setup leaves it away."""
    list(filled.reindex.run(drop=[256, 384]))
    for _ in range(2):
        health = examined(filled)
        assert health.well
        assert {(each.check, each.mend.partition(",")[0]) for each in health.findings} == {
            ("indexes", f"Run `nestor reindex --add {size}`") for size in (256, 384)
        }
        assert all("was dropped" in each.what for each in health.findings)
        filled.setup()
    list(filled.reindex.run(add=[256, 384]))
    assert set(examined(filled).vectors) == set(DIMENSIONS)
    assert examined(filled).well


def test_an_index_that_went_missing(filled: Nestor) -> None:
    """The manifests still name it: that is wrong, and is mended without embedding anything again."""
    filled.store.drop(384)
    health = examined(filled)
    assert wrong(health) == [("indexes", "There is no index embeddings-384d.")]
    assert "nestor reindex --add 384" in health.findings[0].mend
    list(filled.reindex.run(add=[384]))
    assert examined(filled).well


def test_an_empty_index_beside_a_filled_one(filled: Nestor) -> None:
    """One finding for the index, not one for each asset; filling it mends it."""
    filled.store.drop(384)
    filled.vectors.prepare([384], embedder="digest-1")
    health = examined(filled)
    ((check, what),) = wrong(health)
    assert (check, "embeddings-384d is empty" in what) == ("counts", True)
    assert "nestor reindex --add 384" in next(each.mend for each in health.findings if each.wrong)
    list(filled.reindex.run(add=[384]))
    assert examined(filled).well


def test_a_key_that_is_lost_at_one_size(filled: Nestor, first: Manifest) -> None:
    """The asset is named; deleting it and ingesting it again mends it."""
    filled.vectors.delete(384, [segment_key(first.object_id, 0)])
    ((check, what),) = wrong(examined(filled))
    assert (check, first.uri in what) == ("counts", True)
    filled.library.delete(first.uri)
    list(filled.ingest.run([Path(first.uri.removeprefix("file://"))]))
    assert examined(filled).well


def test_a_manifest_without_keys(filled: Nestor, first: Manifest) -> None:
    """Every row of an asset is gone."""
    keys = [segment_key(first.object_id, number) for number in range(first.segments)]
    for dimension in DIMENSIONS:
        filled.vectors.delete(dimension, keys)
    ((check, what),) = wrong(examined(filled))
    assert (check, first.uri in what) == ("orphans", True)


def test_keys_without_a_manifest(filled: Nestor, first: Manifest) -> None:
    """They are counted, and what ingesting the file again mends."""
    filled.manifests.delete([first.object_id])
    ((check, what),) = wrong(examined(filled))
    assert (check, first.object_id in what) == ("orphans", True)
    assert what.startswith(f"{4 * first.segments} keys")
    list(filled.ingest.run([Path(first.uri.removeprefix("file://"))]))
    assert examined(filled).well


def test_keys_beyond_the_last_segment(filled: Nestor, first: Manifest) -> None:
    """Left by a deletion that went wrong; the same at every size, so that counts alone show nothing."""
    for dimension in DIMENSIONS:
        row = VectorRow(segment_key(first.object_id, first.segments), np.eye(1, dimension, dtype=np.float32)[0], {})
        filled.vectors.put(dimension, [row])
    ((check, what),) = wrong(examined(filled))
    assert (check, first.uri in what) == ("orphans", True)


@pytest.mark.parametrize("key", ["somebody's", "x_segment_", "x_segment_999999999999"])
def test_keys_of_others(filled: Nestor, key: str) -> None:
    """Named as they are, whatever they look like."""
    filled.vectors.put(256, [VectorRow(key, np.eye(1, 256, dtype=np.float32)[0], {})])
    ((check, what),) = wrong(examined(filled))
    assert (check, repr(key) in what) == ("orphans", True)


@pytest.mark.parametrize(
    ("status", "is_wrong"), [(Status.STORING, True), (Status.DELETING, True), (Status.FAILED, False)]
)
def test_what_is_unfinished(filled: Nestor, first: Manifest, status: Status, *, is_wrong: bool) -> None:
    """An interrupted ingest or deletion is wrong; a file that could not be read is worth knowing."""
    filled.manifests.put([replace(first, status=status, reason="broken: really")])
    health = examined(filled)
    assert first.uri in next(finding.what for finding in health.findings if finding.check == "assets")
    assert any(check == "assets" for check, _ in wrong(health)) == is_wrong


def test_another_embedder(filled: Nestor, settings: Settings) -> None:
    """Questions of this home would be compared with embeddings of another space."""
    filled.close()
    with Nestor(settings) as local:
        assert [check for check, _ in wrong(examined(local))] == ["indexes"] * 4


def test_indexes_of_another_shape(nestor: Nestor) -> None:
    """Distance, keys that must not be filterable, embedder: each fault is told."""
    nestor.client.create_vector_bucket(vectorBucketName="nestor")
    nestor.client.create_index(
        vectorBucketName="nestor",
        indexName="embeddings-256d",
        dataType="float32",
        dimension=128,
        distanceMetric="euclidean",
        metadataConfiguration={"nonFilterableMetadataKeys": ["text"]},
    )
    nestor.setup()
    told = " ".join(what for _, what in wrong(examined(nestor)))
    assert all(word in told for word in ("128 float32 components by euclidean", "source_uri, code"))


@pytest.fixture
def behind(filled: Nestor, settings: Settings, tmp_path: Path, monkeypatch: Any) -> Callable[..., Health]:
    """Return a function that examines the home through HTTP, given what answers before the real server."""
    import contextlib
    import subprocess
    import sys

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "any")
    filled.close()

    def examine(deny: str) -> Health:
        program = str(Path(sys.executable).with_name("s3vectors-local"))
        command = [program, "serve", "--data", str(settings.home / "vectors"), "--port", "0", "--json"]
        with contextlib.ExitStack() as stack:
            process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
            stack.callback(process.terminate)
            assert process.stdout
            endpoint = str(json.loads(process.stdout.readline())["url"])

            def answer(request: Request) -> Reply:
                if request.path == f"/{deny}":
                    return 403, "AccessDeniedException", {"message": "not you"}
                return forwarded(request, endpoint)

            url, _ = stack.enter_context(answering(answer))
            remote = replace(settings, vectors="aws", endpoint_url=url)
            with Nestor(remote, embedder=filled.embedder) as wired:
                return examined(wired)

    return examine


@pytest.mark.parametrize("action", ["ListVectors", "GetVectors", "QueryVectors", "DeleteVectors", "GetIndex"])
def test_what_the_credentials_lack(behind: Callable[..., Health], action: str) -> None:
    """Each action is named, and is not taken for missing keys."""
    found = wrong(behind(action))
    assert {check for check, _ in found} == {"permissions"}
    assert all(f"s3vectors:{action}" in what for _, what in found)


def test_looking_changes_nothing(behind: Callable[..., Health]) -> None:
    """Reads and a deletion of no key leave a home that is well well, over HTTP too."""
    assert behind("Nothing").well
    assert behind("Nothing").findings == ()
