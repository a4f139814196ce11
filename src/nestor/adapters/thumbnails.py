"""Thumbnails as files in a folder."""

import shutil
from pathlib import Path

from nestor.errors import HomeUnusable


class FolderThumbnails:
    """One JPEG a segment, at <folder>/<first two digits of the object id>/<object id>/<segment>.jpg.

    Derived data: each file appears whole or not at all, but is not synced; ingest the asset again to make it anew.
    """

    def __init__(self, folder: Path) -> None:
        """Keep them below `folder`, made when the first one comes."""
        self._folder = folder

    def put(self, object_id: str, index: int, jpeg: bytes) -> None:
        """Keep the picture of one segment, replacing an older one. Raises HomeUnusable."""
        path = self._path(object_id, index)
        partial = path.with_suffix(".part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(jpeg)
            partial.replace(path)
        except OSError as error:
            raise HomeUnusable(f"Cannot write {path}: {error.strerror}. Is there space, and permission?") from error

    def get(self, object_id: str, index: int) -> bytes | None:
        """Return the JPEG, None when there is none."""
        try:
            return self._path(object_id, index).read_bytes()
        except FileNotFoundError:
            return None

    def delete(self, object_id: str, *, from_index: int = 0) -> None:
        """Remove the pictures of the asset from that segment on."""
        folder = self._path(object_id, 0).parent
        for path in folder.glob("*.jpg"):
            if int(path.stem) >= from_index:
                path.unlink(missing_ok=True)
        if from_index == 0 and folder.exists():
            shutil.rmtree(folder)

    def _path(self, object_id: str, index: int) -> Path:
        return self._folder / object_id[:2] / object_id / f"{index}.jpg"
