"""The same code over another transport."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nestor.errors import VectorsUnavailable
from nestor.outcome import Outcome
from nestor.settings import Settings
from nestor.wiring import Nestor

Ingesting = Callable[..., list[Outcome]]
Looking = Callable[[Nestor], dict[str, Any]]


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[str]:
    """Serve an empty folder over HTTP in a process of its own; return its address."""
    program = Path(sys.executable).with_name("s3vectors-local")
    command = [str(program), "serve", "--data", str(tmp_path / "served"), "--port", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield str(json.loads(process.stdout.readline())["url"])
    finally:
        process.terminate()
        process.wait(timeout=20)
        process.stdout.close()


def test_over_http_everything_is_the_same(
    endpoint: str,
    nestor: Nestor,
    folder: Path,
    tmp_path: Path,
    ingest: Ingesting,
    stored: Looking,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An endpoint_url instead of the embedded engine: equal rows, equal hits; gone server, an error in words."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    settings = Settings(home=tmp_path / "remote", vectors="aws", endpoint_url=endpoint)
    ingest(nestor, folder)
    with Nestor(settings, embedder=nestor.embedder) as remote:
        ingest(remote, folder)
        assert stored(remote) == stored(nestor)
        question = nestor.search.words("They sleep in the air.")
        here, there = nestor.search.ask(question).hits, remote.search.ask(question).hits
        assert [hit.key for hit in there] == [hit.key for hit in here]
        assert [hit.distance for hit in there] == pytest.approx([hit.distance for hit in here])
    nowhere = Settings(home=tmp_path / "remote", vectors="aws", endpoint_url="http://127.0.0.1:9")
    with Nestor(nowhere, embedder=nestor.embedder) as lost, pytest.raises(VectorsUnavailable, match=r"127\.0\.0\.1:9"):
        lost.search.ask(question)
