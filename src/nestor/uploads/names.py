"""Names of files that strangers chose, as names of files on this machine; pure."""

import re
import unicodedata

from nestor.errors import InvalidInput

NAME_BYTES = 180
"""UTF-8 bytes: file systems take 255, and sidecars and partial files are named after the file."""
_SUFFIX_BYTES = 16

_FORBIDDEN = re.compile(r'[<>:"|?*]')
"""What Windows takes for something else."""
_DEVICE = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


def safe_name(name: str) -> str:
    """Return the last part of the name without what a file system, a terminal or a header could misunderstand.

    Raises InvalidInput when nothing is left of it.
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    # Category C: controls, marks that turn the direction of writing, halves of surrogates, unassigned.
    shown = "".join(character for character in last if unicodedata.category(character)[0] != "C")
    plain = _FORBIDDEN.sub("_", shown).strip(" .")
    if not plain:
        raise InvalidInput(f"{name[:80]!r} is no name for a file: give the file a name, such as photo.jpg.")
    return _short(f"_{plain}" if _DEVICE.fullmatch(plain) else plain)


def distinct(name: str, taken: set[str]) -> str:
    """Return the name, numbered where it is taken; upper and lower case are the same on some disks."""
    stem, dot, suffix = name.rpartition(".") if "." in name else (name, "", "")
    number, free = 2, name
    while free.casefold() in taken:
        free, number = f"{stem} {number}{dot}{suffix}", number + 1
    return free


def _short(name: str) -> str:
    if len(name.encode()) <= NAME_BYTES:
        return name
    stem, dot, suffix = name.rpartition(".")
    if not stem or len(suffix.encode()) > _SUFFIX_BYTES:
        stem, dot, suffix = name, "", ""
    room = NAME_BYTES - len((dot + suffix).encode())
    return stem.encode()[:room].decode("utf-8", "ignore").rstrip(" .") + dot + suffix
