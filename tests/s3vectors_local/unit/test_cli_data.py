"""What the commands say about data that cannot be used: what is wrong with it, and what to do."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from click.testing import CliRunner, Result

from s3vectors_local.cli import cli
from s3vectors_local.engine import Engine, open_engine
from s3vectors_local.errors import ServiceUnavailableException, StoreFailed
from s3vectors_local.model import Metric, NewIndex, NewVector
from s3vectors_local.storage.store import FILE_NAME


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


@pytest.mark.parametrize("command", [("inspect",), ("compact",), ("serve", "--port", "0")], ids=lambda each: each[0])
@pytest.mark.parametrize(
    ("name", "reason"),
    [("link", "is a link to none, which is not there"), ("file", "is no folder"), ("file/x", "lies")],
)
def test_data_that_is_no_folder(tmp_path: Path, command: tuple[str, ...], name: str, reason: str) -> None:
    """A dangling link or a file in the folder's place is wrong usage, told as what it is."""
    (tmp_path / "link").symlink_to("none")
    (tmp_path / "file").touch()
    result = _run(*command, "--data", tmp_path / name)
    assert result.exit_code == 2
    assert "'--data'" in result.stderr
    assert reason in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]


def test_locked(folder: Path) -> None:
    """Who holds the data is told, and which commands need not wait."""
    with open_engine(folder):
        result = _run("compact", "--data", folder)
    assert result.exit_code == 3
    assert f"process {os.getpid()} is writing to {folder}: stop it first" in result.stderr
    assert "only inspect, verify and export run beside it" in result.stderr


@pytest.fixture
def nobodys() -> Iterator[Path]:
    """Give data of a user without the rights of root, as who the test goes on."""
    with TemporaryDirectory() as made, _as_nobody(Path(made)):
        folder = Path(made) / "data"
        with open_engine(folder) as engine:
            engine.create_bucket("demo")
            engine.create_index("demo", NewIndex("flat", 2, Metric.EUCLIDEAN))
            engine.put_vectors("demo", "flat", [NewVector("one", np.ones(2, np.float32))])
        yield folder
        for path in (folder, folder / "rows"):
            path.chmod(0o755)


@pytest.mark.parametrize("name", ["rows", "rows/1-1.rows"])
def test_rows_out_of_reach(nobodys: Path, name: str) -> None:
    """Rows that may not be read are not damaged."""
    (nobodys / name).chmod(0)
    for arguments in (("verify",), ("export", "demo", "flat")):
        result = _run(*arguments, "--data", nobodys)
        assert result.exit_code == 4
        assert f"Permission denied: check the permissions of {nobodys / 'rows'}" in result.stderr
        assert "reopen" not in result.stderr


def _store_failed(cause: Exception) -> StoreFailed:
    failed = StoreFailed("close and reopen")
    failed.__cause__ = cause
    return failed


def _sqlite_failed(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("said by SQLite")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (_store_failed(PermissionError(13, "Permission denied", "x.rows")), 4, "check the permissions of x.rows"),
        (_store_failed(_sqlite_failed(sqlite3.SQLITE_READONLY_DIRECTORY)), 4, "cannot write to"),
        (_store_failed(_sqlite_failed(sqlite3.SQLITE_IOERR_READ)), 1, "said by SQLite"),
        (_store_failed(OSError(5, "Input/output error")), 1, "Input/output error"),
        (ServiceUnavailableException("Full"), 4, "Full"),
    ],
    ids=["permission", "readonly", "pages", "disk", "full"],
)
def test_what_is_damage(folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int, words: str) -> None:
    """What cannot be read for good is damage; what is only out of reach is not."""

    def failing(_: Engine) -> list[str]:
        raise error

    monkeypatch.setattr(Engine, "verify", failing)
    result = _run("verify", "--data", folder)
    assert result.exit_code == code
    assert words in result.output
    assert "reopen" not in result.output


def test_rows_that_are_gone(folder: Path) -> None:
    """Rows that are not there are damage."""
    shutil.rmtree(folder / "rows")
    result = _run("verify", "--data", folder)
    assert result.exit_code == 1
    assert "1-1.rows is missing" in result.output


def test_read_only_folder(nobodys: Path) -> None:
    """Readers write, too: that is told where they may not."""
    nobodys.chmod(0o555)
    for arguments in (("inspect",), ("verify",), ("export", "demo", "flat")):
        result = _run(*arguments, "--data", nobodys)
        assert result.exit_code == 4
        assert f"cannot write to {nobodys}: check its permissions" in result.stderr
        assert "inspect, verify and export, too, write there" in result.stderr


def test_unreadable_database(nobodys: Path) -> None:
    """A database that may not be opened is told with what to look at."""
    (nobodys / FILE_NAME).chmod(0)
    result = _run("inspect", "--data", nobodys)
    assert result.exit_code == 4
    assert f"check the permissions of {nobodys}" in result.stderr


@pytest.mark.parametrize("mode", [0o000, 0o444, 0o333])
def test_unreadable_folder(nobodys: Path, mode: int) -> None:
    """So is a folder, which is wrong usage."""
    nobodys.chmod(mode)
    for command in ("inspect", "compact"):
        result = _run(command, "--data", nobodys)
        assert result.exit_code == 2
        assert f"{nobodys} cannot be read: Permission denied" in result.stderr


def test_broken_pages_are_told_to_users(folder: Path) -> None:
    """What the engine advises its callers is no advice to who types a command."""
    with (folder / FILE_NAME).open("r+b") as file:
        file.seek(2 * 4096)
        file.write(b"\xff" * 4096 * 8)
    for arguments in (("verify",), ("export", "demo", "flat")):
        result = _run(*arguments, "--data", folder)
        assert result.exit_code == (1 if arguments == ("verify",) else 4)
        assert "malformed" in result.output
        assert "reopen" not in result.output


@contextmanager
def _as_nobody(folder: Path) -> Iterator[None]:
    """Drop root's rights, where there are any."""
    if os.geteuid():
        yield
        return
    os.chown(folder, 65534, -1)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
