"""The snippets of docs/engine/clients.md, copied and run: they print what the comments beside them say."""

import os
import re
import subprocess
from pathlib import Path

import pytest


@pytest.fixture
def part(root: Path, request: pytest.FixtureRequest) -> str:
    """Give the part of the page under a heading."""
    page = (root / "docs/engine/clients.md").read_text()
    return page.partition(f"## {request.param}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("part", ["boto3"], indirect=True)
def test_boto3(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As it stands there."""
    _run_python(part, capsys)


@pytest.mark.parametrize("part", ["LangChain"], indirect=True)
def test_langchain(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As it stands there."""
    pytest.importorskip("langchain_aws", reason="no langchain-aws: `make clients` installs it")
    _run_python(part, capsys)


@pytest.mark.parametrize("part", ["LlamaIndex"], indirect=True)
def test_llamaindex(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As it stands there."""
    reason = "no llama-index-vector-stores-s3: `make clients` installs it"
    pytest.importorskip("llama_index.vector_stores.s3", reason=reason)
    _run_python(part, capsys)


@pytest.mark.usefixtures("mem0")
@pytest.mark.parametrize("part", ["mem0"], indirect=True)
def test_mem0(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As it stands there."""
    _run_python(part, capsys)


@pytest.mark.parametrize("part", ["AWS CLI"], indirect=True)
def test_aws_cli(part: str, aws_cli: str) -> None:
    """As it stands there."""
    [snippet] = _snippets(part, "bash")
    path = os.pathsep.join([str(Path(aws_cli).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path}
    answer = subprocess.run(["bash", "-ec", snippet], env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[-1] == _promised(snippet, "#")


@pytest.mark.parametrize("part", ["AWS SDK for JavaScript"], indirect=True)
def test_javascript(part: str, javascript: Path) -> None:
    """As it stands there."""
    [snippet] = _snippets(part, "js")
    (javascript / "snippet.mjs").write_text(snippet)
    command = ["node", "snippet.mjs"]
    answer = subprocess.run(command, cwd=javascript, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.strip() == _promised(snippet, "//")


def _run_python(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    [snippet] = _snippets(part, "python")
    exec(compile(snippet, "clients.md", "exec"), {})  # noqa: S102 - our own text
    assert capsys.readouterr().out.splitlines()[-1] == _promised(snippet, "#")


def _snippets(part: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", part, re.DOTALL)


def _promised(snippet: str, comment: str) -> str:
    return snippet.rstrip().rpartition(f"  {comment} " if comment == "#" else f" {comment} ")[2]
