import errno
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from click.testing import CliRunner, Result

from s3vectors_local.cli import cli
from s3vectors_local.engine import open_engine
from s3vectors_local.model import NewVector
from s3vectors_local.storage.store import FILE_NAME

SERVE = [sys.executable, "-m", "s3vectors_local.cli", "serve", "--port", "0", "--json"]


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


@contextmanager
def _serving(folder: Path, *options: str | Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [*SERVE, "--data", str(folder), *map(str, options)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
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
    search = {"recall": 1.0, "lists": 0, "nprobe": 0, "candidates": 0, "pending": 0, "dead": 0}
    assert json.loads(_run("inspect", "--data", folder, "--json").stdout) == [row | {"search": search}]


def test_export_and_import(folder: Path, tmp_path: Path) -> None:
    """`export` and `import` work on folders; a failed export leaves the file that was there."""
    runner, file = CliRunner(), tmp_path / "flat.jsonl"
    result = runner.invoke(cli, ["export", "demo", "flat", "--data", str(folder), "-o", str(file), "--json"])
    assert json.loads(result.stdout) == {"vectors": 1, "file": str(file)}
    shown = runner.invoke(cli, ["export", "demo", "flat", "--data", str(folder)])
    assert shown.stdout_bytes == file.read_bytes()
    into = ["--data", str(tmp_path / "new")]
    assert "1 vectors read" in runner.invoke(cli, ["import", str(file), "--index", "copy", *into]).stdout
    before = file.read_bytes()
    missing = runner.invoke(cli, ["export", "demo", "nope", "--data", str(folder), "-o", str(file)])
    assert (missing.exit_code, file.read_bytes()) == (8, before)
    assert "could not be found" in missing.stderr
    file.write_bytes(before[:-5])
    cut = runner.invoke(cli, ["import", str(file), *into])
    assert cut.exit_code == 8
    assert "line 3 is not JSON" in cut.stderr


def test_compact(folder: Path) -> None:
    """`compact` gives the room of what was deleted back and tells the sizes."""
    with open_engine(folder) as engine:
        for start in range(0, 5_000, 500):
            rows = np.ones((500, 2), np.float32)
            vectors = [NewVector(f"k{start + n}", row) for n, row in enumerate(rows)]
            engine.put_vectors("demo", "flat", vectors)
        for start in range(0, 5_000, 500):
            engine.delete_vectors("demo", "flat", [f"k{start + n}" for n in range(500)])
    sizes = json.loads(_run("compact", "--data", folder, "--json").stdout)
    assert sizes["bytes_after"] < sizes["bytes_before"] / 2
    with open_engine(folder) as engine:
        index = engine.get_index("demo", "flat")
        assert (index.count, index.slots) == (1, 1)
        assert engine.verify() == []


def test_compact_nothing(tmp_path: Path) -> None:
    """A folder without data is an error, and stays as it is."""
    result = _run("compact", "--data", tmp_path / "typo")
    assert (result.exit_code, list(tmp_path.iterdir())) == (4, [])
    assert "there is no data in" in result.stderr


def test_verify_damage(folder: Path) -> None:
    """`verify` ends with 1 and tells the damage."""
    connection = sqlite3.connect(folder / FILE_NAME)
    connection.execute("DELETE FROM records")
    connection.commit()
    connection.close()
    result = _run("verify", "--data", folder, "--json")
    assert result.exit_code == 1
    assert "an index counts wrong" in json.loads(result.stdout)["faults"][0]


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


def test_readers_where_the_system_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without the sockets that readers need refuses them with words, before anything is made."""

    def none(*_: int) -> None:
        raise OSError(errno.EPROTONOSUPPORT, os.strerror(errno.EPROTONOSUPPORT))

    monkeypatch.setattr(socket, "socketpair", none)
    result = _run("serve", "--readers", "2", "--port", "0", "--data", tmp_path / "data")
    assert result.exit_code == 2
    assert "--readers takes 0 on this system: Protocol not supported" in result.stderr
    assert not (tmp_path / "data").exists()


def _signed(url: str, secret: str) -> urllib.request.Request:
    request = AWSRequest("POST", f"{url}/ListVectorBuckets", data=b"{}", headers={"content-type": "application/json"})
    SigV4Auth(Credentials("AKID", secret), "s3vectors", "eu-west-1").add_auth(request)
    return urllib.request.Request(request.url, b"{}", dict(request.headers))  # noqa: S310 - our own server


def _status(request: str | urllib.request.Request) -> int:
    try:
        with urllib.request.urlopen(request) as response:  # noqa: S310 - our own server
            return int(response.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def _credentials(folder: Path, secret: str) -> Path:
    path = folder / "credentials.json"
    path.write_text(json.dumps([{"access_key_id": "AKID", "secret_access_key": secret}]))
    return path


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 - signed
def test_credentials(tmp_path: Path, host: str) -> None:
    """With credentials any address may be bound, and every request is signed; the log is JSON, without the secret."""
    secret = "not-for-the-log"  # noqa: S105
    options = ("--host", host, "--region", "eu-west-1", "--log-format", "json")
    path = _credentials(tmp_path, secret)
    with _serving(tmp_path / "data", "--credentials", path, *options) as (process, bound):
        url = bound.replace("0.0.0.0", "127.0.0.1")  # noqa: S104
        assert _status(_signed(url, secret)) == 200
        assert _status(_signed(url, secret + "x")) == 403
        assert _status(f"{url}/health") == 200
        assert _status(f"{url}/metrics") == (200 if host == "127.0.0.1" else 403)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert secret not in errors
    lines = [json.loads(line) for line in errors.splitlines()]
    assert [(line["operation"], line["status"]) for line in lines[:3]] == [
        ("ListVectorBuckets", 200),
        ("ListVectorBuckets", 403),
        ("/health", 200),
    ]
    assert lines[0]["principal"] == "arn:aws:iam::000000000000:user/AKID"


@pytest.mark.parametrize(("options", "lines"), [((), 1), (("--quiet",), 0)])
def test_log(tmp_path: Path, options: tuple[str, ...], lines: int) -> None:
    """A short line a request on stderr, none with --quiet."""
    with _serving(tmp_path / "data", *options) as (process, url):
        assert _status(f"{url}/health") == 200
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
    assert errors.count(" 200 /health ") == lines
    assert errors.count("\n") == lines


def test_allowed_hosts(tmp_path: Path) -> None:
    """Names that are allowed in the Host header, and no others."""
    with _serving(tmp_path / "data", "--allow-host", "One.test", "--allow-host", "two.test") as (_, url):
        for host, status in (("one.test", 200), ("two.test:80", 200), ("three.test", 403)):
            request = urllib.request.Request(f"{url}/ListVectorBuckets", b"{}", {"Host": host})  # noqa: S310
            assert _status(request) == status


def test_unusable_credentials(tmp_path: Path) -> None:
    """A file that is missing or wrong ends with 7 and one line, before the data is touched."""
    path = _credentials(tmp_path, "short")
    for file, reason in ((path, "secret_access_key: must have at least 8"), (tmp_path / "none", "No such file")):
        result = _run("serve", "--credentials", file, "--data", tmp_path / "data")
        assert result.exit_code == 7
        assert reason in result.stderr
        assert result.stderr.count("\n") == 1
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
        "import sys\nfrom s3vectors_local.cli import main\nsys.argv = ['s3vectors-local', '--help']\n"
        "try: main()\nexcept SystemExit: pass\n"
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
