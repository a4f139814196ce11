"""One file read in a process of its own: it is a stranger's."""

from pathlib import Path

from nestor import media
from nestor.domain import Reading
from nestor.errors import UnreadableFile


def read_apart(path: Path, options: media.ReadOptions) -> Reading:
    """Return what the file holds. Raises UnreadableFile, also when the process is lost over it."""
    with media.ReaderPool(1, options) as pool:
        ((_, result),) = pool.read_all([path])
    if isinstance(result, UnreadableFile):
        raise result
    return result
