"""What `nestor serve` does in the background before anybody asks."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

_START = "import sys; {before}; sys.argv = ['nestor', *sys.argv[1:]]; from nestor.cli import main; main()"
_SECONDS = 30


@contextmanager
def _serving(home: Path, *, before: str = "pass") -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Serve the home in a process that does that first; give it and its address."""
    command = [sys.executable, "-c", _START.format(before=before), "--home", str(home)]
    command += ["serve", "--port", "0", "--json", "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process, str(json.loads(process.stdout.readline())["url"])
        finally:
            process.terminate()


def test_the_embedder_is_loaded_before_the_first_question(tmp_path: Path) -> None:
    """A server that was asked nothing has the library of its embedder in memory soon, and is alive meanwhile."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    maps = Path("/proc/self/maps")
    if not maps.is_file():
        pytest.skip("no /proc to look at")
    with _serving(tmp_path / "home") as (process, url):
        deadline = time.monotonic() + _SECONDS
        while "onnxruntime" not in Path(f"/proc/{process.pid}/maps").read_text():
            assert time.monotonic() < deadline
            assert httpx2.get(f"{url}/health").status_code == 200


def test_an_embedder_that_cannot_be_loaded_is_told(tmp_path: Path) -> None:
    """In words and with the way out, on stderr, while the server goes on: what is stored can still be looked at."""
    with _serving(tmp_path / "home", before="sys.modules['onnxruntime'] = None") as (process, url):
        assert process.stderr
        assert "The embedder cannot be loaded" in process.stderr.readline()
        assert "pip install" in process.stderr.readline()
        assert httpx2.get(f"{url}/assets").status_code == 200
