"""The documents point at things that exist, and what they show runs."""

import re
from pathlib import Path

import pytest

LINK = re.compile(r"\[[^\]]*\]\((?!https?:|#|mailto:)([^)#\s]+)")


def test_every_link_leads_somewhere(root: Path) -> None:
    """Relative links name a file or a folder of the project."""
    pages = [*root.glob("*.md"), *(root / "docs").rglob("*.md")]
    broken = [
        f"{page.relative_to(root)}: {target}"
        for page in pages
        for target in LINK.findall(page.read_text())
        if not (page.parent / target).exists()
    ]
    assert broken == []


def test_the_python_in_the_readme_runs(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copied into a file, it does what it says."""
    snippets = re.findall(r"```python\n(.*?)```", (root / "README.md").read_text(), re.DOTALL)
    assert snippets
    monkeypatch.chdir(tmp_path)
    for snippet in snippets:
        exec(compile(snippet, "README.md", "exec"), {})  # noqa: S102 - our own text
    assert (tmp_path / "vectors").is_dir()


def test_every_adr_is_numbered_and_says_why(root: Path) -> None:
    """Numbers without gaps; each has its context, decision and consequences."""
    pages = sorted((root / "docs/adr").glob("*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        text = page.read_text()
        assert all(f"**{part}.**" in text for part in ("Context", "Decision", "Consequences")), page.name


def test_every_table_of_limits_agrees_with_the_code(root: Path) -> None:
    """The defaults in docs/media.md are those of ReadOptions."""
    from nestor.media import ReadOptions

    options = ReadOptions()
    text = (root / "docs/media.md").read_text()
    assert f"| `--max-bytes` | {options.max_bytes >> 20} MiB |" in text
    assert f"| `--max-pixels` | {options.max_pixels // 1_000_000} million |" in text
    assert f"| `--max-pages` | {options.max_pages:,} |" in text
    assert f"| `--max-seconds` | {options.max_seconds:,.0f} |" in text
    assert f"| `--timeout-seconds` | {options.timeout_seconds:.0f} |" in text
