"""What the system tells of files."""

import os
from pathlib import Path

import pytest

from s3vectors_local.storage import files


def test_what_was_just_written_is_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with room behind what was written to it counts as in memory; where the system tells nothing, none does."""
    path = tmp_path / "rows"
    path.write_bytes(b"x" * 1_000_000)
    with path.open("r+b") as file:
        file.truncate(100_000_000)
        try:
            os.preadv(file.fileno(), [bytearray(1)], 0, os.RWF_NOWAIT)
        except (AttributeError, OSError):
            pytest.skip("this system cannot tell")
        assert files.is_in_memory(file.fileno())
        monkeypatch.delattr(os, "RWF_NOWAIT")
        assert not files.is_in_memory(file.fileno())


def test_what_is_on_the_disk_alone_is_not(tmp_path: Path) -> None:
    """A file whose pages were dropped has to be read."""
    path = tmp_path / "rows"
    path.write_bytes(os.urandom(8_000_000))
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        assert not files.is_in_memory(file.fileno())
