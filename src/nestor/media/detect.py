"""What a file is, by its content; the name only chooses between flavours of text."""

import os
import stat
from pathlib import Path

from nestor.media import kinds
from nestor.media.decode import is_text
from nestor.media.source import Kind, refused, sized

HEAD_BYTES = 8192

_LFS = b"version https://git-lfs.github.com/spec/"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_CONTAINERS = {
    "word/document.xml": kinds.DOCX,
    "ppt/presentation.xml": kinds.PPTX,
}


def detect(path: Path) -> tuple[Kind, tuple[str, ...]]:
    """Return the kind of the file's content, and a warning where its name claims another.

    Raises UnreadableFile: missing, empty, unsupported, mislabelled, encrypted, truncated.
    """
    head = read_head(path)
    claimed = kinds.BY_SUFFIX.get(path.suffix.lower())
    if head.startswith(_LFS):
        raise refused(path, "mislabelled", "it is a Git LFS pointer, not the file itself. Run `git lfs pull`.")
    kind = kinds.by_magic(head) or _archive(path, head, claimed) or _text(path, head)
    if kind is None:
        raise _unknown(path, head, claimed)
    if claimed is not None and path.suffix.lower() not in kind.suffixes:
        return kind, (f"{path.name} is named like {claimed.name} but is {kind.name}; it was read as that.",)
    return kind, ()


def read_head(path: Path) -> bytes:
    """Return the first bytes of a file. Raises UnreadableFile: missing, empty, unsupported (a folder), broken."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except FileNotFoundError:
        raise refused(path, "missing", "there is no such file. Check the name.") from None
    except IsADirectoryError:
        raise refused(path, "unsupported", "it is a folder. Name the files in it.") from None
    except PermissionError as error:
        raise refused(path, "denied", "you may not read it. Check its permissions.") from error
    except OSError as error:
        raise refused(path, "broken", f"it cannot be opened ({error.strerror}).") from error
    if not head:
        raise refused(path, "empty", "it has no content.")
    return head


def _archive(path: Path, head: bytes, claimed: Kind | None) -> Kind | None:
    if head.startswith(_OLE):
        raise _old_office(path)
    if not head.startswith(b"PK\x03\x04"):
        return None
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        if claimed in _CONTAINERS.values() or b"[Content_Types].xml" in head:
            raise refused(path, "truncated", "its end is missing or damaged. Copy or save it again.") from error
        return None
    return next((kind for part, kind in _CONTAINERS.items() if part in names), None)


def _old_office(path: Path) -> Exception:
    with path.open("rb") as file:
        found = "EncryptedPackage".encode("utf-16-le") in file.read(1 << 20)
    if found:
        return refused(path, "encrypted", "it is protected by a password. Save a copy without one.")
    return refused(path, "unsupported", "it is an Office file from before 2007. Save it as docx, pptx or PDF.")


def _text(path: Path, head: bytes) -> Kind | None:
    if not is_text(head, whole=len(head) < HEAD_BYTES) or head.startswith((b"{\\rtf", b"%!PS")):
        return None
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:256].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return kinds.HTML
    return kinds.FLAVOURS.get(path.suffix.lower(), kinds.PLAIN)


def _unknown(path: Path, head: bytes, claimed: Kind | None) -> Exception:
    import filetype

    guess = filetype.guess(head)
    found = f"its content is {guess.mime}" if guess else "its content is of no kind known here"
    if claimed is not None:
        return refused(
            path, "mislabelled", f"it is named like {claimed.name}, but {found}. Copy it again, or convert it."
        )
    return refused(
        path,
        "unsupported",
        f"{found}. Nestor reads text, Markdown, CSV, JSON, HTML, PDF, docx, pptx, images, audio and video.",
    )


def check_file(path: Path, *, max_bytes: int) -> None:
    """Raise UnreadableFile when there is no such regular file, it may not be looked at, or it is too large."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            os.scandir(path).close()  # a folder comes here by its name, or because it could not be listed
    except (FileNotFoundError, NotADirectoryError):
        raise refused(path, "missing", "there is no such file. Check the name.") from None
    except PermissionError as error:
        raise refused(
            path, "denied", "you may not look at it. Check its permissions, and those of the folders above it."
        ) from error
    except (OSError, ValueError) as error:
        raise refused(path, "missing", f"it cannot be found ({error}). Check the name.") from error
    if not stat.S_ISREG(status.st_mode):
        raise refused(path, "unsupported", "it is not a regular file. Name a file, or the files in a folder.")
    if status.st_size > max_bytes:
        raise refused(
            path, "oversized", f"it has {sized(status.st_size)}, more than the {sized(max_bytes)} of max_bytes."
        )
