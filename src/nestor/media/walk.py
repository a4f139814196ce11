"""The files to read among the files and folders that were named."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from nestor.media.sidecars import is_sidecar


def discover(paths: Iterable[str | os.PathLike[str]]) -> Iterator[Path]:
    """Yield every file named, and those in every folder named, sorted by name, folder by folder.

    Left out are sidecars (they are read with what they tell about) and, within folders, what is hidden, what is no
    regular file, and links that lead out of the folder or around in it. A path that does not exist is yielded too, so
    that reading it reports it.
    """
    for path in map(Path, paths):
        if path.is_dir():
            yield from _inside(path, path.resolve(), {path.resolve()})
        elif not is_sidecar(path) or not path.is_file():
            yield path


def _inside(folder: Path, root: Path, seen: set[Path]) -> Iterator[Path]:
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
            yield from _inside(path, root, seen)
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
