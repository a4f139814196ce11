"""The files to read among the files and folders that were named."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from nestor.errors import InvalidInput
from nestor.media.sidecars import is_sidecar


def discover(paths: Iterable[str | os.PathLike[str]], *, home: Path | None = None) -> Iterator[Path]:
    """Give every file named, and those in every folder named, sorted by name, folder by folder.

    Left out are sidecars (they are read with what they tell about) and, within folders, what is hidden, what is no
    regular file, links that lead out of the folder or around in it, and the home. A path that does not exist or may not
    be looked at is given too, so that reading it reports it. Raises InvalidInput at once for an empty path, and for the
    home itself.
    """
    named = [_named(path) for path in paths]
    kept = os.path.realpath(home) if home is not None else None
    for path in named:
        if os.path.realpath(path) == kept:
            raise InvalidInput(f"{path} is the home, where Nestor keeps what it makes of files: name other folders.")
    return _walk(named, kept)


def _named(path: str | os.PathLike[str]) -> Path:
    if not os.fspath(path):
        raise InvalidInput("A path is empty: name a file or a folder, the current one as '.'.")
    return Path(path)


def _walk(named: Iterable[Path], home: str | None) -> Iterator[Path]:
    for path in named:
        try:
            is_folder, is_told = path.is_dir(), path.is_file() and is_sidecar(path)
        except OSError:  # too long a name, or a folder above it that is locked: reading it reports so
            is_folder, is_told = False, False
        if is_folder:
            yield from _inside(path, path.resolve(), {path.resolve()}, home)
        elif not is_told:
            yield path


def _inside(folder: Path, root: Path, seen: set[Path], home: str | None) -> Iterator[Path]:
    if os.path.realpath(folder) == home:
        return
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError:
        yield folder  # it cannot be listed: reading it reports so
        return
    for entry in entries:
        path = folder / entry.name
        if entry.name.startswith(".") or (entry.is_symlink() and not _may_follow(path, root, seen)):
            continue
        if entry.is_dir():
            yield from _inside(path, root, seen, home)
        elif entry.is_file() and not is_sidecar(path):
            yield path


def _may_follow(link: Path, root: Path, seen: set[Path]) -> bool:
    """Follow a link once, and only to what lies within the folder without containing the link itself."""
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):
        return False
    if not target.is_relative_to(root) or link.absolute().parent.resolve().is_relative_to(target) or target in seen:
        return False
    seen.add(target)
    return True
