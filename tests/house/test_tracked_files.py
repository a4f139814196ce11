"""What the repository may hold."""

import re
import subprocess
from pathlib import Path

import pytest

# The brackets keep the patterns from matching this file.
FORBIDDEN = re.compile(r"pyp[i]\.org|pythonh[o]sted|registry\.npmj[s]|deb\.debia[n]|/hom[e]/\w|/roo[t]/")


@pytest.fixture(scope="module")
def tracked(root: Path) -> list[Path]:
    """Return the files git tracks."""
    if not (root / ".git").exists():
        pytest.skip("not a git checkout")
    names = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True).stdout
    return [root / name for name in names.decode().split("\0") if name and (root / name).is_file()]


def test_no_package_host_and_no_absolute_path(tracked: list[Path]) -> None:
    """Requirements are pinned by hash, without addresses; nothing depends on one machine's folders."""
    guilty = []
    for path in tracked:
        content = path.read_bytes()
        if b"\0" not in content and (found := FORBIDDEN.search(content.decode("utf-8", "replace"))):
            guilty.append(f"{path}: {found[0]}")
    assert guilty == []


def test_every_requirement_is_pinned_by_hash(root: Path) -> None:
    """Each line of the requirements is an exact version followed by its hashes."""
    for path in (root / "requirements").glob("*.txt"):
        blocks = re.split(r"\n(?=[a-z])", path.read_text())
        for block in filter(str.strip, blocks):
            assert re.match(r"[a-z0-9._-]+==\S+", block), f"{path.name}: {block.splitlines()[0]}"
            assert "--hash=sha256:" in block, f"{path.name}: {block.splitlines()[0]}"


def test_the_weights_do_not_bring_torch(root: Path) -> None:
    """Several GB that nothing here imports."""
    for path in (root / "requirements").glob("*.txt"):
        assert not re.search(r"^(torch|nvidia|sentence-transformers)", path.read_text(), re.MULTILINE)


def test_ci_calls_make_test_and_nothing_else(root: Path) -> None:
    """`clean` has one definition."""
    commands = (root / ".ci/run").read_text().splitlines()
    assert commands[-1] == "exec make test"


def test_no_tracked_file_is_large(tracked: list[Path]) -> None:
    """1.5 MB is the most."""
    assert [path.name for path in tracked if path.stat().st_size > 1_500_000] == []
