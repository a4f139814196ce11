"""How a command ends, and what it says about data that it cannot use."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from time import sleep
from typing import IO, Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from s3vectors_local.cli import cli
from s3vectors_local.cli.exits import EXIT_CODES
from s3vectors_local.engine import open_engine
from s3vectors_local.model import Metric, NewIndex, NewVector

PROGRAM = [sys.executable, "-m", "s3vectors_local.cli"]
DOCS = Path(__file__).parents[3] / "docs/engine/server.md"


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def _process(*arguments: str | Path, **options: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*PROGRAM, *arguments], stderr=subprocess.PIPE, text=True, check=False, **options)


def _patched(patch: str, *arguments: str | Path, **options: Any) -> "subprocess.CompletedProcess[str]":
    script = f"import signal\nfrom s3vectors_local import engine\n{patch}\nfrom s3vectors_local.cli import main\nmain()"
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.run([sys.executable, "-c", script, *arguments], text=True, check=False, **options)


def test_exit_codes_are_documented() -> None:
    """The table in the documentation and `--help` have the exit codes that there are."""
    documented = re.findall(r"^\| (\d+) \| ", DOCS.read_text(), re.MULTILINE)
    assert documented == [str(code) for code in EXIT_CODES]
    helped = re.findall(r"^ +(\d+) +(.+)$", _run("--help").output, re.MULTILINE)
    assert helped == [(str(code), words) for code, words in EXIT_CODES.items()]
    assert list(EXIT_CODES) == [*range(10), 70, 130, 141, 143]


@pytest.mark.parametrize(
    "command",
    [("verify",), ("inspect",), ("compact",), ("export", "demo", "flat"), ("import", "-")],
    ids=lambda command: command[0],
)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped(folder: Path, command: tuple[str, ...], number: int, code: int) -> None:
    """Ctrl-C and SIGTERM end a command with a word and their own codes."""
    patch = f"engine.open_engine = lambda *_, **__: signal.raise_signal({number:d})"
    if command[0] == "import":
        patch += "\nfrom s3vectors_local import transfer\ntransfer.Source = engine.open_engine"
    result = _patched(patch, *command, "--data", folder)
    assert (result.returncode, result.stdout) == (code, "")
    assert "the same command can be given again" in result.stderr
    assert "Traceback" not in result.stderr


def test_stopped_while_waiting(tmp_path: Path) -> None:
    """So does a real signal, where the command waits for its input."""
    head = (
        b'{"format":"s3vectors-local export","version":1,"index":{"vectorBucketName":"demo","indexName":"new",'
        b'"dataType":"float32","dimension":2,"distanceMetric":"cosine"}}\n'
    )
    command = [*PROGRAM, "import", "-", "--data", str(tmp_path / "data")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin
        process.stdin.write(head)
        process.stdin.flush()
        while not (tmp_path / "data").exists():
            assert process.poll() is None
            sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 143
    with open_engine(tmp_path / "data") as engine:
        assert engine.verify() == []


def test_signal_that_surfaces_as_another_error(folder: Path) -> None:
    """A signal that comes out as a failed import is a signal nevertheless."""
    patch = (
        "def failing(*_, **__):\n try: signal.raise_signal(signal.SIGINT)\n"
        " except KeyboardInterrupt: raise ImportError\nengine.open_engine = failing"
    )
    assert _patched(patch, "inspect", "--data", folder).returncode == 130


def test_crash(folder: Path) -> None:
    """A fault of the program is told with its traceback, where it can be, and is no damage."""
    patch = "engine.open_engine = lambda *_, **__: 1 / 0"
    result = _patched(patch, "verify", "--data", folder)
    assert result.returncode == 70
    assert "ZeroDivisionError" in result.stderr
    with Path("/dev/full").open("wb") as full:
        assert _patched(patch, "verify", stderr=full).returncode == 70


def test_broken_pipe_of_another(folder: Path) -> None:
    """A pipe that breaks inside is a fault of the program; one of stderr hides no signal."""
    failing = "engine.open_engine = lambda *_, **__: (_ for _ in ()).throw(BrokenPipeError(32, 'inside'))"
    result = _patched(failing, "verify", "--data", folder)
    assert result.returncode == 70
    assert "inside" in result.stderr
    stopping = "engine.open_engine = lambda *_, **__: signal.raise_signal(signal.SIGTERM)"
    with _unread() as pipe:
        assert _patched(stopping, "verify", "--data", folder, stderr=pipe).returncode == 143


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """Give data of which the export is more than a pipe holds."""
    folder = tmp_path / "wide"
    with open_engine(folder) as engine:
        engine.create_bucket("demo")
        engine.create_index("demo", NewIndex("flat", 1000, Metric.EUCLIDEAN))
        rows = np.random.default_rng(1).standard_normal((50, 1000)).astype(np.float32)
        engine.put_vectors("demo", "flat", [NewVector(f"k{number}", row) for number, row in enumerate(rows)])
    return folder


def test_reader_goes_away(wide: Path) -> None:
    """`export | head -1` ends in silence, as if by SIGPIPE."""
    command = [*PROGRAM, "export", "demo", "flat", "--data", str(wide)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(20) == 141
        assert process.stderr.read() == b""


@pytest.mark.parametrize("arguments", [("--help",), ("inspect",), ("inspect", "--json"), ("export", "demo", "flat")])
def test_nobody_reads(folder: Path, arguments: tuple[str, ...]) -> None:
    """So does every command whose output nobody reads."""
    with _unread() as pipe:
        result = _process(*arguments, stdout=pipe, cwd=_linked(folder))
    assert (result.returncode, result.stderr) == (141, "")


@pytest.mark.parametrize("arguments", [("--help",), ("inspect",), ("verify",), ("export", "demo", "flat")])
def test_full_output(folder: Path, arguments: tuple[str, ...]) -> None:
    """What cannot be printed is 9, with a word."""
    with Path("/dev/full").open("wb") as full:
        result = _process(*arguments, stdout=full, cwd=_linked(folder))
    assert result.returncode == 9
    assert result.stderr == "s3vectors-local: cannot write standard output: No space left on device\n"


def test_closed_output(folder: Path) -> None:
    """So is an output that is closed."""
    command = ["sh", "-c", '"$@" >&-', "sh", *PROGRAM, "export", "demo", "flat", "--data", str(folder)]
    result = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    assert result.returncode == 9
    assert result.stderr == "s3vectors-local: cannot write standard output: Bad file descriptor\n"


@pytest.mark.parametrize("device", ["full", "pipe"])
def test_words_that_cannot_be_printed(tmp_path: Path, device: str) -> None:
    """The exit code tells also where stderr takes nothing."""
    with _unread() if device == "pipe" else Path("/dev/full").open("wb") as stream:
        for arguments, code in ((("inspect", "--data", tmp_path / "none"), 4), (("inspect", "--nope"), 2)):
            assert subprocess.run([*PROGRAM, *arguments], stderr=stream, check=False).returncode == code


def test_version() -> None:
    """The release is told."""
    assert _run("--version").output == f"s3vectors-local, version {version('nestor')}\n"


@pytest.mark.parametrize("region", ["", "EU", "eu_west", "-eu", "eu-", "eu--west", "eu west", "e" * 64, "eu\n"])
def test_wrong_region(tmp_path: Path, region: str) -> None:
    """A region is what can stand in an ARN."""
    result = _run("serve", "--region", region, "--credentials", tmp_path / "none", "--data", tmp_path / "data")
    assert result.exit_code == 2
    assert "--region takes" in result.stderr
    assert not (tmp_path / "data").exists()


@contextmanager
def _unread() -> Iterator[IO[bytes]]:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as stream:
        yield stream


def _linked(folder: Path) -> Path:
    """Return a folder where the data is found without being named."""
    (folder.parent / ".s3vectors").symlink_to(folder)
    return folder.parent
