"""A placeholder in S3, over real HTTP to moto's."""

from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest

from nestor.domain import object_id, segment_key
from nestor.errors import ObjectsError
from nestor.migration.migrate import Outcome
from nestor.wiring import Nestor

pytest.importorskip("moto", reason="moto is not installed")

FILM = "s3://src/film.mp4"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Serve S3 with an empty bucket `old`; boto3 finds it by the environment."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST")):
        pass  # All servers of a process share one state: what other tests stored is there, too.
    for name, value in (
        ("AWS_ENDPOINT_URL_S3", f"http://{host}:{port}"),
        ("AWS_ACCESS_KEY_ID", "any"),
        ("AWS_SECRET_ACCESS_KEY", "any"),
    ):
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", region_name="us-east-1")
    client.create_bucket(Bucket="old")
    yield client
    client.close()
    server.stop()


def run(home: Nestor, address: str) -> dict[str, Outcome]:
    """Migrate."""
    moving = home.migration(address)
    moving.look()
    return {each.uri: each.outcome for each in moving.run()}


@pytest.mark.parametrize("address", ["s3://old/some/prefix", "s3://old/some/prefix/"])
def test_from_a_prefix_and_back(s3: Any, old: Any, home: Nestor, everything: Any, address: str) -> None:
    """Objects below the prefix move, others do not; what is rolled back lies below its prefix, too."""
    old.film(FILM, 2)
    old.put("s3://src/other.mp4")
    for path in sorted(old.root.rglob("*.json")):
        prefix = "elsewhere" if "other" in str(path) else "some/prefix"
        s3.put_object(Bucket="old", Key=f"{prefix}/{path.relative_to(old.root).as_posix()}", Body=path.read_bytes())
    assert run(home, address) == {FILM: Outcome.STORED}
    before = everything(home)
    assert len(before) == 8
    rollback = home.rollback("s3://old/back")
    list(rollback.run(rollback.assets(everything=True)))
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket="old", Prefix="back/")["Contents"]]
    assert len(keys) == 8
    assert f"back/embeddings-256d/{object_id(FILM)}/segment_1.json" in keys
    home.library.delete(FILM)
    assert run(home, "s3://old/back") == {FILM: Outcome.STORED}
    assert everything(home) == before
    assert segment_key(object_id(FILM), 1) in {key for _, key in before}


def test_a_bucket_that_is_not_there(s3: Any, home: Nestor) -> None:
    """It is an error, not an empty placeholder."""
    with pytest.raises(ObjectsError):
        home.migration("s3://nowhere/at-all").look()
    assert list(home.manifests.all()) == []
