"""Files of every kind to segments. Nothing heavy is imported until a file needs it."""

from nestor.media.fingerprint import fingerprint
from nestor.media.options import LARGE_IMAGE_SIDE, ReadOptions, extras
from nestor.media.pool import ReaderPool
from nestor.media.reader import read
from nestor.media.sidecars import is_sidecar
from nestor.media.walk import discover

__all__ = ["LARGE_IMAGE_SIDE", "ReadOptions", "ReaderPool", "discover", "extras", "fingerprint", "is_sidecar", "read"]
