"""What a file is, by its content."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from nestor.domain import Modality
from nestor.errors import UnreadableFile
from nestor.media import ReadOptions, read

Make = Callable[..., Path]


def reason(path: Path, options: ReadOptions | None = None) -> str:
    """Return why the file is refused."""
    with pytest.raises(UnreadableFile) as caught:
        read(path, options)
    assert str(path) in str(caught.value)
    return caught.value.reason


def test_the_content_decides_and_a_wrong_name_is_told(make_image: Make) -> None:
    """A PNG named .jpg is read as PNG, with a warning."""
    path = make_image("photo.png")
    wrong = path.rename(path.with_suffix(".jpg"))
    reading = read(wrong)
    assert reading.content_type == "image/png"
    assert reading.warnings == ("photo.jpg is named like a JPEG image but is a PNG image; it was read as that.",)


def test_a_picture_named_as_text_is_a_picture(make_image: Make) -> None:
    """The name does not make it text."""
    path = make_image("photo.png")
    assert read(path.rename(path.with_suffix(".txt"))).modality == Modality.IMAGE


@pytest.mark.parametrize("name", ["a.jpg", "a.mp4", "a.pdf", "a.docx", "a.mp3"])
def test_a_name_that_claims_what_the_content_is_not_is_mislabelled(tmp_path: Path, name: str) -> None:
    """Bytes of no known kind under a binary name."""
    path = tmp_path / name
    path.write_bytes(bytes(range(1, 250)) * 40)
    assert reason(path) == "mislabelled"


def test_a_pointer_of_git_lfs_is_mislabelled(tmp_path: Path) -> None:
    """The command that fetches the file is named."""
    path = tmp_path / "a.mp4"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n")
    assert reason(path) == "mislabelled"


def test_missing_folder_empty_and_oversized(tmp_path: Path) -> None:
    """Each has its reason."""
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "big.txt").write_text("x" * 2000)
    assert reason(tmp_path / "none.txt") == "missing"
    assert reason(tmp_path / "big.txt" / "in a file") == "missing"
    assert reason(tmp_path / ("n" * 300)) == "missing"
    assert reason(tmp_path) == "unsupported"
    assert reason(tmp_path / "empty.jpg") == "empty"
    assert reason(tmp_path / "big.txt", ReadOptions(max_bytes=1999)) == "oversized"


def test_other_archives_and_old_office_files_are_unsupported(tmp_path: Path) -> None:
    """A zip without a document; a Word file of 2003; one that a password protects."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.txt", "text")
    (tmp_path / "old.doc").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000))
    (tmp_path / "locked.docx").write_bytes(
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000) + "EncryptedPackage".encode("utf-16-le")
    )
    assert reason(tmp_path / "a.zip") == "unsupported"
    assert reason(tmp_path / "old.doc") == "unsupported"
    assert reason(tmp_path / "locked.docx") == "encrypted"


def test_a_file_that_may_not_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Permission is a reason of its own."""
    path = tmp_path / "secret.txt"
    path.write_text("x")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UnreadableFile, match="may not read") as caught:
        read(path)
    assert caught.value.reason == "denied"


def test_readers_are_imported_only_for_their_files() -> None:
    """Importing the package imports none of the libraries that read files."""
    import subprocess
    import sys

    code = (
        "import sys, nestor.media; "
        "print([name for name in ('av', 'PIL', 'docx', 'pptx', 'pypdfium2', 'lxml') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
