"""Files below a folder as objects."""

import os
import threading
from pathlib import Path

import pytest

from nestor.adapters.folder_objects import FolderObjects
from nestor.errors import InvalidInput, ObjectMissing, ObjectsError


@pytest.fixture
def objects(tmp_path: Path) -> FolderObjects:
    """Return a store over a folder that is not there yet."""
    return FolderObjects(tmp_path / "root")


def test_round_trip(objects: FolderObjects, tmp_path: Path) -> None:
    """A key is a path below the folder; an object is replaced whole, and nothing else is left there."""
    objects.put("s3://any/a/b c/ü.json", b"one")
    objects.put("s3://any/a/b c/ü.json", b"two\nlines\n")
    assert objects.get("s3://any/a/b c/ü.json") == b"two\nlines\n"
    assert list(objects.lines("s3://any/a/b c/ü.json")) == [b"two", b"lines"]
    info = objects.info("s3://any/a/b c/ü.json")
    assert info.size == 10
    objects.download("s3://any/a/b c/ü.json", tmp_path / "copy", etag=info.etag)
    assert (tmp_path / "copy").read_bytes() == b"two\nlines\n"
    with pytest.raises(ObjectMissing):
        objects.download("s3://any/a/b c/ü.json", tmp_path / "copy", etag="another")
    assert [path.name for path in (tmp_path / "root/a/b c").iterdir()] == ["ü.json"]
    objects.delete("s3://any/a/b c/ü.json")
    objects.delete("s3://any/a/b c/ü.json")
    with pytest.raises(ObjectMissing):
        objects.get("s3://any/a/b c/ü.json")


@pytest.mark.parametrize("key", ["../out", "a/../../out", "/etc/passwd", "a//b", "", "a/./b", "a/", "nul\0"])
def test_no_key_leads_out(objects: FolderObjects, tmp_path: Path, key: str) -> None:
    """Neither reading nor writing nor deleting reaches anything else."""
    (tmp_path / "out").write_bytes(b"secret")
    for call in (objects.get, objects.delete, lambda uri: objects.put(uri, b"x")):
        with pytest.raises(InvalidInput):
            call(f"s3://any/{key}")
    assert (tmp_path / "out").read_bytes() == b"secret"


def test_keys_in_order(objects: FolderObjects, tmp_path: Path) -> None:
    """Below a prefix, links and unfinished files left aside."""
    for key in ("b/2", "b/10", "a/x", "c"):
        objects.put(f"s3://any/{key}", b"x")
    (tmp_path / "root/b/link").symlink_to(tmp_path)
    (tmp_path / "root/b/.2.77-1.part").write_bytes(b"half")
    assert list(objects.keys("s3://any/")) == ["a/x", "b/10", "b/2", "c"]
    assert list(objects.keys("s3://any/b/")) == ["b/10", "b/2"]


def test_no_folder_is_an_error(tmp_path: Path) -> None:
    """A mistyped name is not an empty placeholder."""
    with pytest.raises(ObjectMissing, match="nowhere"):
        list(FolderObjects(tmp_path / "nowhere").keys("s3://any/"))


@pytest.mark.parametrize("below", ["", "sub"])
def test_a_file_in_place_of_the_folder(tmp_path: Path, below: str) -> None:
    """It is said that nothing can be written there, and the file stays."""
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(ObjectsError, match=r"Cannot write .*file"):
        FolderObjects(tmp_path / "file" / below).put("s3://any/a/x", b"x")
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_a_folder_that_cannot_be_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is neither missing nor empty."""
    with pytest.raises(ObjectsError, match=r"Cannot use .*too long"):
        list(FolderObjects(tmp_path / ("x" * 300)).keys("s3://any/"))

    def locked(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_dir", locked)
    with pytest.raises(ObjectsError, match="Permission denied") as caught:
        list(FolderObjects(tmp_path).keys("s3://any/"))
    assert caught.value.code == "PermissionError"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(objects: FolderObjects, tmp_path: Path) -> None:
    """It is an error of its own, not a missing file."""
    objects.put("s3://any/x", b"x")
    (tmp_path / "root/x").chmod(0)
    with pytest.raises(ObjectsError) as caught:
        objects.get("s3://any/x")
    assert caught.value.code == "PermissionError"


def test_writers_of_one_object(objects: FolderObjects) -> None:
    """Of several at once one wins, whole."""
    contents = [bytes([65 + number]) * 200_000 for number in range(8)]
    threads = [threading.Thread(target=objects.put, args=("s3://any/x", content)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert objects.get("s3://any/x") in contents
