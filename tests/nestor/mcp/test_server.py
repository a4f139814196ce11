"""The program as a client starts, speaks to and ends it."""

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from nestor import open_library
from nestor.errors import HomeUnusable

mcp = pytest.importorskip("mcp", reason="no mcp: it is in the group frameworks")

PROGRAM = Path(sys.executable).with_name("nestor")
HELLO: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}


@contextmanager
def _served(home: Path, *options: str) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [PROGRAM, "--home", home, "mcp", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "default"},
    ) as server:
        try:
            yield server
        finally:
            if server.poll() is None:
                server.kill()


def _ask(server: "subprocess.Popen[str]", message: dict[str, Any]) -> Any:
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(json.dumps(message) + "\n")
    server.stdin.flush()
    return json.loads(server.stdout.readline())


def _call(name: str, arguments: dict[str, Any], number: int = 2) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": name, "arguments": arguments}}


def _greet(server: "subprocess.Popen[str]") -> None:
    assert _ask(server, HELLO)["result"]["serverInfo"]["name"] == "nestor"
    assert server.stdin is not None
    server.stdin.write('{"jsonrpc": "2.0", "method": "notifications/initialized"}\n')


def test_it_ends_with_its_input(library: Path) -> None:
    """Exit code 0; every line of stdout was a message, and nothing is said on stderr, not even what was asked."""
    with _served(library) as server:
        _greet(server)
        answer = _ask(server, _call("search", {"words": "a secret question", "top_k": 1}))
        wrong = _ask(server, _call("search", {"words": "a secret question", "top_k": 0}, 3))
        assert not answer["result"].get("isError")
        assert wrong["result"]["isError"]
        assert "secret" not in json.dumps(wrong)
        out, err = server.communicate(timeout=60)
    assert (server.returncode, out, err) == (0, "", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_on_a_signal(library: Path, number: signal.Signals) -> None:
    """While it waits for a message: at once, with exit code 0 and without a word."""
    with _served(library) as server:
        _greet(server)
        _ask(server, {"jsonrpc": "2.0", "id": 2, "method": "ping"})
        server.send_signal(number)
        assert server.wait(timeout=20) == 0
        assert server.stderr is not None
        assert server.stderr.read() == ""


def test_what_is_no_message_ends_nothing(library: Path) -> None:
    """A line of nonsense and a tool that is not there are errors; the next call is answered."""
    with _served(library) as server:
        _greet(server)
        assert server.stdin is not None
        server.stdin.write("a secret line\n")
        answer = _ask(server, _call("drop_everything", {}))
        if "id" not in answer or answer["id"] != 2:  # an answer to the line itself is allowed
            assert server.stdout is not None
            answer = json.loads(server.stdout.readline())
        assert answer["error"]["code"] == -32602
        assert "search" in answer["error"]["message"]
        assert "result" in _ask(server, {"jsonrpc": "2.0", "id": 4, "method": "ping"})
        _, err = server.communicate(timeout=60)
    assert server.returncode == 0
    assert "secret" not in err


def test_a_message_without_end_ends_it(library: Path) -> None:
    """More than a mebibyte on a line is not read on."""
    with _served(library) as server:
        _greet(server)
        out, err = server.communicate("x" * (1 << 21), timeout=60)
    assert (server.returncode, out) == (0, "")
    assert "1,048,576 bytes" in err


def test_it_waits_for_a_library(tmp_path: Path) -> None:
    """Started before anything was ingested it says what to do, keeps no one from ingesting, and then finds it."""
    (tmp_path / "a.txt").write_text("A heron stands in the reeds.")
    with _served(tmp_path / "home") as server:
        _greet(server)
        early = _ask(server, _call("search", {"words": "birds"}))["result"]
        assert early["isError"]
        assert "nestor ingest" in early["content"][0]["text"]
        with open_library(tmp_path / "home") as opened:
            opened.ingest([tmp_path / "a.txt"])
        found = _ask(server, _call("search", {"words": "birds"}, 3))["result"]["structuredContent"]
        assert [hit["file"] for hit in found["hits"]] == ["a.txt"]
        (tmp_path / "b.txt").write_text("A kingfisher dives.")
        try:
            with open_library(tmp_path / "home") as opened:
                opened.ingest([tmp_path / "b.txt"])
        except HomeUnusable as error:  # pragma: no cover
            pytest.fail(f"the server keeps others from writing: {error}")
        found = _ask(server, _call("search", {"words": "birds"}, 4))["result"]["structuredContent"]
        assert {hit["file"] for hit in found["hits"]} == {"a.txt", "b.txt"}


def test_the_handshake_of_older_clients(library: Path) -> None:
    """The SDK's client, told to begin with `initialize`, is served as well."""
    import anyio

    parameters = mcp.StdioServerParameters(
        command=str(PROGRAM), args=["--home", str(library), "mcp"], env=dict(os.environ)
    )

    async def run() -> int:
        async with mcp.Client(mcp.stdio_client(parameters), mode="legacy") as client:
            return len((await client.list_tools()).tools)

    assert anyio.run(run) == 4


def test_over_http_on_this_machine_alone(library: Path) -> None:
    """The SDK's client is answered; a request that a page of another host makes is not. SIGTERM ends it."""
    import anyio

    with _served(library, "--port", "0") as server:
        assert server.stderr is not None
        url = server.stderr.readline().split()[-1]

        async def run() -> Any:
            async with mcp.Client(url) as client:
                return await client.call_tool("search", {"words": "apes", "top_k": 1})

        assert anyio.run(run).structured_content["hits"][0]["file"] == "bonobos.jpg"
        port = int(url.split(":")[2].split("/")[0])
        for header, statuses in (
            ({"Host": "evil.example"}, {403, 421}),
            ({"Origin": "https://evil.example"}, {403, 421}),
            ({"Connection": "Upgrade", "Upgrade": "h2c"}, {200}),  # an offer, as Java's client makes
        ):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            kinds = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
            connection.request("POST", "/mcp", json.dumps(HELLO), {**kinds, **header})
            assert connection.getresponse().status in statuses
            connection.close()
        taken = subprocess.run(
            [PROGRAM, "--home", library, "mcp", "--port", str(port)], capture_output=True, text=True, check=False
        )
        assert taken.returncode == 2
        assert f"Cannot listen on port {port}" in taken.stderr
        server.terminate()
        assert server.wait(timeout=20) == 0
