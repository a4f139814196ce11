"""How the C library keeps memory that was given back to it: glibc's defaults grow with the largest array ever freed."""

import ctypes
from typing import Final

# From <malloc.h>.
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8
_LARGE: Final = 1024 * 1024  # bytes: what a query takes is less, what an upkeep takes is more
# Bytes at the top of a heap. With 16 MiB heaps grow for half an hour of writes; with 2 each put asks for memory anew.
_KEPT: Final = 4 * 1024 * 1024
_ARENAS: Final = 2


def give_back_large_arrays() -> None:
    """Have what is large go back to the system when it is freed, in all threads; does nothing without glibc."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(_MMAP_THRESHOLD, _LARGE)
    mallopt(_TRIM_THRESHOLD, _KEPT)
    mallopt(_ARENA_MAX, _ARENAS)


def give_back_what_is_free() -> None:
    """Give free memory between what is in use back to the system: upkeep leaves much; does nothing without glibc."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):
        return
