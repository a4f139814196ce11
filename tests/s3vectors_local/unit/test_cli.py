import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from s3vectors_local.cli import main
from s3vectors_local.engine import open_engine
from s3vectors_local.storage.store import FILE_NAME

SERVE = [sys.executable, "-m", "s3vectors_local.cli", "serve", "--port", "0", "--json"]


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@contextmanager
def _serving(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    with subprocess.Popen([*SERVE, "--data", str(folder)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process, json.loads(process.stdout.readline())["url"]
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_and_stop(tmp_path: Path, number: int) -> None:
    """`serve --port 0` tells its address, answers, and ends with 0 on a signal, the data released."""
    with _serving(tmp_path / "data") as (process, url):
        with urllib.request.urlopen(f"{url}/health") as response:  # noqa: S310 - our own server
            assert response.status == 200
        process.send_signal(number)
        assert process.wait(20) == 0
    with open_engine(tmp_path / "data"):
        pass


def test_others_while_serving(folder: Path) -> None:
    """While a server writes, `inspect` and `verify` work, and a second server is refused with 3."""
    with _serving(folder) as (process, _):
        assert "demo/flat  1 vectors  2 euclidean ENHANCED" in _run("inspect", "--data", folder).output
        assert _run("verify", "--data", folder).output == "No damage found.\n"
        second = _run("serve", "--data", folder, "--port", "0")
        assert second.exit_code == 3
        assert f"process {process.pid} is writing to {folder}" in second.stderr
        assert second.stderr.count("\n") == 1


def test_inspect_json(folder: Path) -> None:
    """`inspect --json` prints a row an index."""
    row = {"bucket": "demo", "index": "flat", "vectors": 1, "dimension": 2, "metric": "euclidean", "mode": "ENHANCED"}
    assert json.loads(_run("inspect", "--data", folder, "--json").stdout) == [row]


def test_verify_damage(folder: Path) -> None:
    """`verify` ends with 1 and tells the damage."""
    connection = sqlite3.connect(folder / FILE_NAME)
    connection.execute("DELETE FROM vectors")
    connection.commit()
    connection.close()
    result = _run("verify", "--data", folder, "--json")
    assert result.exit_code == 1
    assert "a record has no vector" in json.loads(result.stdout)["faults"][0]


def test_verify_broken_pages(folder: Path) -> None:
    """Pages that cannot even be read are damage too."""
    with (folder / FILE_NAME).open("r+b") as file:
        file.seek(2 * 4096)
        file.write(b"\xff" * 4096 * 8)
    result = _run("verify", "--data", folder)
    assert result.exit_code == 1
    assert result.stdout


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org"])  # noqa: S104 - refused
def test_loopback_only(tmp_path: Path, host: str) -> None:
    """Any other address is a usage error: there is no authentication yet."""
    result = _run("serve", "--host", host, "--data", tmp_path / "data")
    assert result.exit_code == 2
    assert "no authentication" in result.stderr
    assert not (tmp_path / "data").exists()


def test_wrong_account(tmp_path: Path) -> None:
    """An account has 12 digits."""
    assert _run("serve", "--account", "12", "--data", tmp_path).exit_code == 2


def test_unusable_data(tmp_path: Path) -> None:
    """Missing data, and data that is no database, end with 4 and one line."""
    assert _run("inspect", "--data", tmp_path / "none").exit_code == 4
    (tmp_path / FILE_NAME).write_bytes(b"x" * 5000)
    result = _run("inspect", "--data", tmp_path)
    assert result.exit_code == 4
    assert result.stderr.count("\n") == 1


def test_port_in_use(tmp_path: Path) -> None:
    """A port that is taken ends with 5."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = _run("serve", "--data", tmp_path / "data", "--port", str(taken.getsockname()[1]))
    assert result.exit_code == 5
    assert "cannot listen on 127.0.0.1" in result.stderr


def test_help_is_quick_and_light() -> None:
    """Help imports neither NumPy nor a server nor boto3; every command has some."""
    code = (
        "import sys\nfrom s3vectors_local.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print([name for name in ('numpy', 'uvicorn', 'botocore', 'sqlite3', 'asyncio') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.endswith("[]\n")
    for command in ("serve", "inspect", "verify"):
        assert command in result.stdout
        assert _run(command, "--help").exit_code == 0


def test_acknowledged_over_http_survives_a_kill(tmp_path: Path) -> None:
    """What the server answered 200 to is there after kill -9."""
    with _serving(tmp_path / "data") as (process, url):
        body = json.dumps({"vectorBucketName": "kept"}).encode()
        request = urllib.request.Request(f"{url}/CreateVectorBucket", body)  # noqa: S310 - our own server
        with urllib.request.urlopen(request) as response:  # noqa: S310
            assert response.status == 200
        os.kill(process.pid, signal.SIGKILL)
        process.wait(20)
    with open_engine(tmp_path / "data") as engine:
        assert engine.get_bucket("kept").name == "kept"
