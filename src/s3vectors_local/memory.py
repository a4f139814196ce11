"""How much memory this process may count on."""

import os
from pathlib import Path
from typing import Final

_UNKNOWN: Final = 4 * 1024**3
_CGROUP: Final = Path("/sys/fs/cgroup/memory.max")


def available_bytes(cgroup: Path = _CGROUP) -> int:
    """Return the memory of the machine, or of the container where that is less; 4 GiB where nobody tells."""
    try:
        physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not on this system
        return _UNKNOWN
    try:
        limit = int(cgroup.read_text())
    except (OSError, ValueError):  # no container, or "max"
        return physical
    return min(physical, limit)
