"""`export` writes to what is named and breaks nothing; `import` makes nothing before it knows what it reads."""

import io
import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from s3vectors_local import transfer
from s3vectors_local.cli import cli
from s3vectors_local.engine import Engine, open_engine
from s3vectors_local.errors import ServiceUnavailableException
from s3vectors_local.storage.store import FILE_NAME


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def _export(folder: Path, file: Path) -> Result:
    return _run("export", "demo", "flat", "--data", folder, "-o", file)


@pytest.fixture
def lines(folder: Path) -> bytes:
    """Give the export of `demo/flat`."""
    return _run("export", "demo", "flat", "--data", folder).stdout_bytes


def test_to_a_pipe(folder: Path, tmp_path: Path, lines: bytes) -> None:
    """What is no regular file is written to, and stays what it is."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert _export(folder, pipe).exit_code == 0
    assert os.read(reader, 10_000) == lines
    os.close(reader)
    assert pipe.is_fifo()


def test_to_a_device_that_is_full(folder: Path, tmp_path: Path) -> None:
    """A device is reached through a link, too; that it takes nothing is 9, and the link stays."""
    link = tmp_path / "link"
    link.symlink_to("/dev/full")
    result = _export(folder, link)
    assert (result.exit_code, result.stderr) == (
        9,
        f"s3vectors-local: cannot write {link}: No space left on device\n",
    )
    assert link.is_symlink()


@pytest.mark.parametrize("there", [True, False])
def test_through_a_link(folder: Path, tmp_path: Path, lines: bytes, there: bool) -> None:
    """Of a link the target is replaced, or made."""
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere/target", tmp_path / "link"
    link.symlink_to(target)
    if there:
        target.touch()
    assert _export(folder, link).exit_code == 0
    assert link.is_symlink()
    assert target.read_bytes() == lines
    assert not target.is_symlink()


def test_mode(folder: Path, tmp_path: Path) -> None:
    """A file keeps its mode; a new one gets what the umask leaves."""
    old, new = tmp_path / "old", tmp_path / "new"
    old.touch()
    old.chmod(0o604)
    before = os.umask(0o027)
    try:
        assert (_export(folder, old).exit_code, _export(folder, new).exit_code) == (0, 0)
    finally:
        os.umask(before)
    assert [stat.S_IMODE(file.stat().st_mode) for file in (old, new)] == [0o604, 0o640]


def test_others_files_stay(folder: Path, tmp_path: Path, lines: bytes) -> None:
    """No file but the one that is named is touched, and none is left over."""
    own = tmp_path / "out" / "x.jsonl.unfinished"
    own.parent.mkdir()
    own.write_text("mine")
    assert _export(folder, own.with_suffix("")).exit_code == 0
    assert own.read_text() == "mine"
    assert sorted(path.name for path in own.parent.iterdir()) == ["x.jsonl", "x.jsonl.unfinished"]
    assert own.with_suffix("").read_bytes() == lines


def test_synced_before_it_appears(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loss of power leaves the old file or the new one: all is on the disk before the name is."""
    file = tmp_path / "file"
    sizes: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda number: sizes.append(os.fstat(number).st_size + file.exists()))
    assert _export(folder, file).exit_code == 0
    assert sizes == [file.stat().st_size]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_while_writing(folder: Path, tmp_path: Path, number: int, code: int) -> None:
    """A signal leaves the file that was there, and nothing beside it."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "file").write_text("before")
    script = (
        "import signal\nfrom s3vectors_local import transfer\nfrom s3vectors_local.cli import main\n"
        f"def export(*_):\n signal.raise_signal({number:d})\ntransfer.export_index = export\nmain()"
    )
    command = [sys.executable, "-c", script, "export", "demo", "flat", "--data", str(folder), "-o", str(out / "file")]
    assert subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == code
    assert [path.read_text() for path in out.iterdir()] == ["before"]


def test_nowhere_to_write(folder: Path, tmp_path: Path) -> None:
    """A folder that is not there is 9."""
    result = _export(folder, tmp_path / "none/x")
    assert result.exit_code == 9
    assert f"cannot write {tmp_path / 'none/x'}: No such file or directory" in result.stderr


@pytest.mark.parametrize("text", ["{", "[1]", '{"n":{}}', '{"n":1\n}'])
def test_damaged_metadata(folder: Path, tmp_path: Path, text: str) -> None:
    """A vector that no import would take is not exported: its key is told, and what finds more damage."""
    connection = sqlite3.connect(folder / FILE_NAME)
    connection.execute("UPDATE records SET filterable = ?", (text.encode(),))
    connection.commit()
    connection.close()
    result = _export(folder, tmp_path / "out")
    assert result.exit_code == 4
    assert "the vector 'one' is damaged" in result.stderr
    assert "verify" in result.stderr
    assert not (tmp_path / "out").exists()


def test_damaged_row(folder: Path, tmp_path: Path) -> None:
    """Components that are no numbers are damage, too."""
    with next((folder / "rows").iterdir()).open("r+b") as file:
        file.write(b"\xff" * 4)
    result = _export(folder, tmp_path / "out")
    assert result.exit_code == 4
    assert "the vector 'one' is damaged" in result.stderr


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b'{"key":"x"}\n', b'{"format":"s3vectors-local export"}\n'])
def test_no_export(tmp_path: Path, content: bytes) -> None:
    """A file that is no export is refused before the folder of the data is made."""
    file = tmp_path / "file"
    file.write_bytes(content)
    result = _run("import", file, "--data", tmp_path / "data")
    assert result.exit_code == 8
    assert f"{file}: line 1: " in result.stderr
    assert not (tmp_path / "data").exists()


def test_an_index_that_cannot_be(tmp_path: Path, lines: bytes) -> None:
    """Nor does a first line that no CreateIndex would take make one."""
    file = tmp_path / "file"
    file.write_bytes(lines.replace(b'"dimension":2', b'"dimension":0'))
    result = _run("import", file, "--data", tmp_path / "new")
    assert result.exit_code == 8
    assert "line 1: 1 validation error detected" in result.stderr
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("option", "name"),
    [("--index", "x"), ("--index", "A_b"), ("--bucket", "BAD NAME"), ("--bucket", "a.b"), ("--bucket", "x" * 64)],
)
def test_a_bad_name(tmp_path: Path, lines: bytes, option: str, name: str) -> None:
    """A name that cannot be is the option's fault, not the file's."""
    file = tmp_path / "file"
    file.write_bytes(lines)
    result = _run("import", file, option, name, "--data", tmp_path / "new")
    assert result.exit_code == 2
    assert f"'{option}'" in result.stderr
    assert "line 1" not in result.stderr
    assert not (tmp_path / "new").exists()


def test_a_cut_import(tmp_path: Path, lines: bytes) -> None:
    """What was read before the fault is stored, which is told, and the whole file can follow."""
    file, into = tmp_path / "file", ("--data", tmp_path / "new")
    head, one, count = lines.splitlines(keepends=True)
    for rest, reason in ((b"", "the file was cut"), (b"{\n", "line 3 is not JSON")):
        file.write_bytes(head + one + rest)
        result = _run("import", file, *into)
        assert result.exit_code == 8
        assert reason in result.stderr
        assert "1 vectors read before that are stored; importing again is safe" in result.stderr
    file.write_bytes(head + one + count)
    assert json.loads(_run("import", file, *into, "--json").stdout) == {"vectors": 1}


def test_a_full_disk(tmp_path: Path, lines: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that cannot take more is 4, with what is stored already."""
    put = transfer._put

    def full(engine: Engine, names: dict[str, str], some: list[bytes]) -> None:
        if len(some) == 1:
            raise ServiceUnavailableException("The disk is full")
        put(engine, names, some)

    monkeypatch.setattr(transfer, "_BATCH", 2)
    monkeypatch.setattr(transfer, "_put", full)
    file = tmp_path / "file"
    head, one, _ = lines.splitlines(keepends=True)
    file.write_bytes(head + one + one.replace(b"one", b"two") + one.replace(b"one", b"three") + b'{"count":3}\n')
    result = _run("import", file, "--data", tmp_path / "new")
    assert result.exit_code == 4
    assert "The disk is full. 2 vectors read before that are stored" in result.stderr
    with open_engine(tmp_path / "new", read_only=True) as engine:
        assert engine.get_index("demo", "flat").count == 2


def test_a_file_that_cannot_be_read(tmp_path: Path, lines: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading fails at a line."""

    class Torn(io.BytesIO):
        def readline(self, size: int | None = -1) -> bytes:
            if self.tell():
                raise OSError(5, "Input/output error")
            return super().readline(size)

    monkeypatch.setattr("click.open_file", lambda *_: Torn(lines))
    file = tmp_path / "file"
    file.touch()
    result = _run("import", file, "--data", tmp_path / "new")
    assert result.exit_code == 8
    assert "line 2 cannot be read: Input/output error" in result.stderr
