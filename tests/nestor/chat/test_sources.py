"""What there is to read and to see at a place, from real files."""

import hashlib
import io
import shutil
from pathlib import Path

import pytest
from PIL import Image

from nestor.adapters.folder_objects import FolderObjects
from nestor.adapters.thumbnails import FolderThumbnails
from nestor.chat import limits
from nestor.chat.events import Passage
from nestor.chat.sources import Sources
from nestor.domain import Hit, Scalar, file_uri
from nestor.errors import ObjectMissing
from nestor.ports import ObjectInfo


@pytest.fixture
def thumbnails(tmp_path: Path) -> FolderThumbnails:
    """Return an empty folder of pictures."""
    return FolderThumbnails(tmp_path / "thumbnails")


def hit(uri: str, modality: str, text: str = "", **metadata: Scalar) -> Hit:
    """Return a hit at that address."""
    object_id = hashlib.sha256(uri.encode()).hexdigest()[:24]
    told: dict[str, Scalar] = {
        "object_id": object_id,
        "source_uri": uri,
        "file_name": uri.rpartition("/")[2],
        "modality": modality,
        "segment_index": 0,
        "text": text,
        **metadata,
    }
    return Hit(f"{object_id}_segment_0", 0.5, dict(told))


def look(sources: Sources, *hits: Hit, pictures: bool = True) -> tuple[Passage, ...]:
    """Return the passages of the hits."""
    return sources.passages(hits, pictures=pictures)


def size(picture: bytes | None) -> tuple[int, int]:
    """Return width and height of a JPEG."""
    assert picture is not None
    with Image.open(io.BytesIO(picture), formats=["JPEG"]) as image:
        return image.size


def test_a_page_a_frame_and_a_picture(root: Path, thumbnails: FolderThumbnails) -> None:
    """Read again from the files, in a process of their own: the page as a picture with its whole text."""
    samples = root / "samples"
    page, frame, picture = look(
        Sources(thumbnails=thumbnails),
        hit(file_uri(samples / "pdf/nbgrader.pdf"), "document", "nbgrader", page=1),
        hit(file_uri(samples / "videos/nasa.mp4"), "video", start_seconds=5.0, end_seconds=10.0),
        hit(file_uri(samples / "images/geese.jpg"), "image", "geese"),
    )
    assert max(size(page.picture)) == 768
    assert len(page.text) > 1_000
    assert min(size(frame.picture)) > 50
    assert max(size(picture.picture)) <= 768
    assert picture.text == "geese"
    assert {each.note for each in (page, frame, picture)} == {""}


def test_what_is_stored_comes_first(thumbnails: FolderThumbnails) -> None:
    """No file is opened where its picture is kept; a model that sees nothing gets none."""
    seen = hit("file:///gone/a.jpg", "image", "a")
    thumbnails.put(str(seen.metadata["object_id"]), 0, b"kept")
    (passage,) = look(Sources(thumbnails=thumbnails), seen)
    assert (passage.picture, passage.note) == (b"kept", "")
    (passage,) = look(Sources(thumbnails=thumbnails), seen, pictures=False)
    assert (passage.picture, passage.note) == (None, "")


def test_the_rest_of_a_long_text(tmp_path: Path, thumbnails: FolderThumbnails) -> None:
    """What the excerpt lacks is read from the file, unless the file says something else by now."""
    path = tmp_path / "long.txt"
    path.write_text("before " + "é" * 900 + " after")
    found = hit(file_uri(path), "text", "é" * 200, start_char=7, end_char=907)
    assert look(Sources(thumbnails=thumbnails), found)[0].text == "é" * 900
    path.write_text("something else entirely " * 100)
    (changed,) = look(Sources(thumbnails=thumbnails), found)
    assert changed.text == "é" * 200
    assert "something else" in changed.note


@pytest.mark.parametrize("content", [None, b"%PDF-1.7 broken", b""], ids=["gone", "broken", "empty"])
def test_a_file_that_cannot_be_read_costs_its_picture_alone(
    tmp_path: Path, thumbnails: FolderThumbnails, content: bytes | None
) -> None:
    """The stored text is answered from, with a note; the others are not touched."""
    path = tmp_path / "paper.pdf"
    if content is not None:
        path.write_bytes(content)
    broken, fine = look(
        Sources(thumbnails=thumbnails),
        hit(file_uri(path), "document", "what was stored", page=2),
        hit("file:///elsewhere/a.txt", "text", "fine"),
    )
    assert (broken.text, broken.picture) == ("what was stored", None)
    assert broken.note.startswith("Only what was stored")
    assert (fine.text, fine.note) == ("fine", "")


def test_objects_in_s3(root: Path, tmp_path: Path, thumbnails: FolderThumbnails) -> None:
    """Are fetched, looked at and removed; one that is gone, too large or out of reach costs its picture."""
    shutil.copy(root / "samples/pdf/nbgrader.pdf", tmp_path)
    found = hit("s3://bucket/nbgrader.pdf", "document", "nbgrader", page=1)
    gone = hit("s3://bucket/gone.pdf", "document", "gone", page=1)
    sources = Sources(thumbnails=thumbnails, objects=lambda: FolderObjects(tmp_path))
    page, missing = look(sources, found, gone)
    assert max(size(page.picture)) == 768
    assert "There is no" in missing.note
    (unreachable,) = look(Sources(thumbnails=thumbnails), found)
    assert "out of reach" in unreachable.note

    class Large(FolderObjects):
        def info(self, uri: str) -> ObjectInfo:
            return ObjectInfo(limits.SOURCE_BYTES + 1, "etag")

        def download(self, uri: str, path: Path, *, etag: str) -> None:
            raise ObjectMissing("must not be fetched", code="x")

    (large,) = look(Sources(thumbnails=thumbnails, objects=lambda: Large(tmp_path)), found)
    assert "larger than 64 MiB" in large.note


def test_bounds(thumbnails: FolderThumbnails) -> None:
    """Characters of each and of all, number and bytes of pictures: the best passages keep theirs."""
    hits = [hit(f"file:///x/{number}.jpg", "image", "w" * 9_000) for number in range(10)]
    for each in hits:
        thumbnails.put(str(each.metadata["object_id"]), 0, b"x" * 700_000)
    passages = look(Sources(thumbnails=thumbnails), *hits)
    assert [len(each.text) for each in passages] == [4_000] * 6 + [0] * 4
    assert [each.picture is not None for each in passages] == [True] * 5 + [False] * 5
    thumbnails.put(str(hits[0].metadata["object_id"]), 0, b"x" * (limits.PICTURE_BYTES + 1))
    assert look(Sources(thumbnails=thumbnails), *hits)[0].picture is None
