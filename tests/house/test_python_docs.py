"""What the pages on Python show runs as it stands there."""

import re
from pathlib import Path

import pytest


@pytest.fixture
def beside_samples(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder that has the samples, as the pages assume."""
    (tmp_path / "samples").symlink_to(root / "samples", target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NESTOR_HOME", raising=False)
    return tmp_path


@pytest.mark.usefixtures("beside_samples")
@pytest.mark.parametrize(
    ("page", "part", "needs"),
    [("python", 0, "nestor"), ("frameworks", 0, "langchain_core"), ("frameworks", 1, "llama_index.core")],
    ids=["python", "langchain", "llamaindex"],
)
def test_it_runs(root: Path, page: str, part: int, needs: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Copied into a file, it finds something in the samples; where a line tells what it prints, it prints that."""
    pytest.importorskip("onnxruntime", reason="no onnxruntime: the local embedder needs it")
    pytest.importorskip(needs, reason=f"no {needs}: see docs/frameworks.md")
    snippet = re.findall(r"```python\n(.*?)```", (root / f"docs/{page}.md").read_text(), re.DOTALL)[part]
    exec(compile(snippet, f"{page}.md", "exec"), {})  # noqa: S102 - our own text
    printed = capsys.readouterr().out.splitlines()
    assert len([line for line in printed if line.strip()]) >= 4
    for promised in re.findall(r"print\(.*\)  # (.+)", snippet):
        assert promised in printed
