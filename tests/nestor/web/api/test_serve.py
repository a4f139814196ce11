"""`nestor serve`: a process of its own, over real HTTP."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

PROGRAM = Path(sys.executable).with_name("nestor")
TEXT = "One swallow does not make a summer."
TOKEN = "correct horse battery staple"  # noqa: S105  # it opens nothing


@contextmanager
def serving(home: Path, *options: object, ends: int = 0) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Serve the home; give the process and its address; end it by SIGTERM."""
    command = [PROGRAM, "--home", home, "serve", "--port", "0", "--json", "--quiet", *options]
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield process, str(json.loads(process.stdout.readline())["url"])
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=30)
        process.stdout.close()
    assert code in {ends, -signal.SIGKILL}


def _over(client: Any, job_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while (job := client.get(f"/jobs/{job_id}").json())["state"] not in {"done", "failed"}:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    found: dict[str, Any] = job
    return found


@pytest.mark.parametrize("pause", [False, True])
def test_another_protocol_is_offered(tmp_path: Path, *, pause: bool) -> None:
    """An offer of HTTP/2, which Java's client makes by default, changes nothing: the body is read and answered."""
    body = b'{"query":"test","top_k":0}'
    offer = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n"
    head = b"POST /query HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n%bcontent-length: %d\r\n\r\n"
    with serving(tmp_path / "home") as (_, url), socket.create_connection(_address(url), timeout=20) as connection:
        connection.sendall(head % (offer, len(body)) + (b"" if pause else body))
        time.sleep(0.1)
        connection.sendall(
            (body if pause else b"") + b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
        )
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert b"top_k is 0" in received
    assert received.count(b"HTTP/1.1 ") == 2


def _address(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix("http://").partition(":")
    return host, int(port)


@pytest.fixture
def weights() -> None:
    """Skip where the local embedder's weights are not installed."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


@pytest.mark.usefixtures("weights")
def test_upload_ask_kill_and_go_on(tmp_path: Path, root: Path) -> None:
    """Files in, found over HTTP; a server killed in the middle of a job leaves what the next one finishes."""
    home = tmp_path / "home"
    pages = {f"{number}.txt": f"Swallow number {number}. " + "It flies. " * 90 for number in range(40)}
    with serving(home) as (process, url), httpx2.Client(base_url=url) as client:
        first = client.post("/assets", files={"file": ("swallow.txt", TEXT.encode())}, data={"collection": "birds"})
        assert _over(client, first.json()["id"])["state"] == "done"
        (hit, *_) = client.post("/query", json={"query": "summer birds", "dimension": 1024}).json()["hits"]
        assert hit["metadata"]["file_name"] == "swallow.txt"
        part = client.get(f"/media/{hit['metadata']['object_id']}", headers={"range": "bytes=4-10"})
        assert (part.status_code, part.text) == (206, "swallow")
        files = [("file", (name, text.encode())) for name, text in pages.items()]
        job_id = client.post("/assets", files=files, data={"collection": "more"}).json()["id"]
        process.kill()
        process.wait(timeout=30)
    with serving(home) as (_, url), httpx2.Client(base_url=url) as client:
        job = _over(client, job_id)
        assert {file["status"] for file in job["files"]} <= {"stored", "unchanged"}
        listed = client.get("/assets", params={"collection": "more", "limit": 100}).json()
        assert sorted(each["file_name"] for each in listed["assets"]) == sorted(pages)
        assert {each["status"] for each in listed["assets"]} == {"stored"}


def test_it_ends_while_somebody_listens(tmp_path: Path) -> None:
    """SIGTERM ends the process with exit code 0, though a connection is open."""
    began = time.monotonic()
    with serving(tmp_path / "home") as (_, url), socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))):
        assert httpx2.get(f"{url}/health").json() == {"status": "ok"}
    assert time.monotonic() - began < 20


def test_tokens_are_read_from_a_file(tmp_path: Path) -> None:
    """Without one 401, with one an answer."""
    tokens = tmp_path / "tokens"
    tokens.write_text(f"# ours\n{TOKEN}\n")
    with serving(tmp_path / "home", "--token-file", tokens, "--host", "127.0.0.1") as (_, url):
        assert httpx2.get(f"{url}/assets").status_code == 401
        answer = httpx2.get(f"{url}/assets", headers={"authorization": f"Bearer {TOKEN}"})
        assert answer.json()["assets"] == []


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (("--host", "0.0.0.0"), 2, "--token-file"),  # noqa: S104  # it is refused
        (("--token-file", "none"), 2, "Cannot read the tokens"),
        (("--host", "host.invalid", "--token-file", "TOKENS"), 2, "Cannot listen on host.invalid"),
    ],
    ids=["exposed", "no tokens", "no address"],
)
def test_what_cannot_be_served_is_said(tmp_path: Path, options: tuple[str, ...], code: int, told: str) -> None:
    """In words and an exit code, before anything is opened."""
    (tmp_path / "TOKENS").write_text(TOKEN)
    answer = _run(tmp_path / "home", "serve", *options, cwd=tmp_path)
    assert (answer.returncode, answer.stdout) == (code, "")
    assert told in answer.stderr


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    """With the way out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        answer = _run(tmp_path / "home", "serve", "--port", str(taken.getsockname()[1]), cwd=tmp_path)
    assert answer.returncode == 2
    assert "Choose another --port" in answer.stderr


def test_a_home_in_use_is_said(tmp_path: Path) -> None:
    """Exit code 5, as of every command."""
    with serving(tmp_path / "home"):
        answer = _run(tmp_path / "home", "serve", "--port", "0", cwd=tmp_path)
    assert answer.returncode == 5
    assert "Another process is writing" in answer.stderr


def test_a_missing_extra_is_said(tmp_path: Path) -> None:
    """Exit code 3, and what to install."""
    code = (
        "import sys, importlib.util as found\n"
        "there = found.find_spec\n"
        "found.find_spec = lambda name, *more: None if name == 'fastapi' else there(name, *more)\n"
        f"sys.argv = ['nestor', '--home', {str(tmp_path)!r}, 'serve']\n"
        "from nestor.cli import main; main()"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert answer.returncode == 3
    assert "nestor[web]" in answer.stderr


def _run(home: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, "--home", home, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=cwd,
        env={**os.environ, "COLUMNS": "120"},
    )
