"""How much memory there is."""

import os
from pathlib import Path

import pytest

from s3vectors_local.memory import available_bytes


def test_the_machine_or_the_container(tmp_path: Path) -> None:
    """The smaller of the two; a container without a limit counts as none."""
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = tmp_path / "memory.max"
    assert available_bytes(limit) == physical
    limit.write_text("max\n")
    assert available_bytes(limit) == physical
    limit.write_text("300000000\n")
    assert available_bytes(limit) == 300_000_000
    limit.write_text(f"{physical * 2}\n")
    assert available_bytes(limit) == physical


def test_a_system_that_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something modest."""
    monkeypatch.delattr(os, "sysconf")
    assert available_bytes() == 4 * 1024**3
