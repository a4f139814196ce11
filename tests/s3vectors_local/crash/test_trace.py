"""The power fails between any two system calls of a real run: what was acknowledged is there.

A writer runs under strace. Its calls are played back onto a disk that keeps for certain only what was synced; SQLite's
own files, syncs and checkpoints are on it too.
"""

import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

Files = dict[str, bytes]
WRITER = """
import os, runpy, sys
from pathlib import Path
from s3vectors_local.engine import open_engine
workload = runpy.run_path(sys.argv[2])["WORKLOAD"]
for part in (workload[:6], workload[6:10], workload[10:]):
    with open_engine(Path(sys.argv[1])) as engine:
        engine._store._writer.execute("PRAGMA wal_autocheckpoint = 12")
        for step in part:
            step(engine)
            os.write(1, b"acknowledged")
"""
LINE = re.compile(r"^(?:\d+ +)?(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+)")
BYTES = re.compile(r"[<\"](?P<bytes>(?:\\x[0-9a-f]{2})*)[\">]")  # of a string, or the path of a file
FOLDERS = (".", "rows")
CALLS = "openat,pwrite64,ftruncate,fsync,fdatasync,unlink,mkdir,rename,write"


@dataclass
class Inode:
    """A file: what is in it, what is of it on the medium, and the writes between the two."""

    now: bytearray = field(default_factory=bytearray)
    kept: bytes = b""
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)
    """Each a place and bytes, or a new length and None."""

    def change(self, place: int, data: bytes | None) -> None:
        """Write, or set the length."""
        _apply(self.now, place, data)
        self.pending.append((place, data))

    def sync(self) -> None:
        """Bring it all to the medium."""
        self.kept, self.pending = bytes(self.now), []

    def after_loss(self, chance: random.Random) -> bytes:
        """Return the synced bytes with some of the writes since, each whole, torn, or not at all."""
        left = bytearray(self.kept)
        for place, data in self.pending:
            share = chance.choice([0, 1, 1, chance.random()])
            if data is None and share:
                _apply(left, place, None)
            elif data:
                _apply(left, place, data[: int(len(data) * share)])
        return bytes(left)


@dataclass
class Medium:
    """A folder with folders in it: names that are on the medium, and names that are not yet."""

    now: dict[str, Inode] = field(default_factory=dict)
    kept: dict[str, Inode] = field(default_factory=dict)

    def play(self, name: str, path: str, more: list[Any]) -> None:
        """Do what one call did."""
        if name in {"openat", "mkdir"}:
            self.now.setdefault(path, Inode())
        elif name == "unlink":
            del self.now[path]
        elif name == "pwrite64":
            self.now[path].change(more[1], more[0])
        elif name == "ftruncate":
            self.now[path].change(more[0], None)
        elif path in FOLDERS:
            self._sync_folder(path)
        else:
            self.now[path].sync()

    def _sync_folder(self, path: str) -> None:
        inside = {name: inode for name, inode in self.now.items() if str(Path(name).parent) == path}
        self.kept = {name: inode for name, inode in self.kept.items() if str(Path(name).parent) != path} | inside

    def after_loss(self, chance: random.Random, *, least: bool) -> Files:
        """Return the files that are found later: the least there may be, or any mixture."""
        if least:
            return _files({name: inode.kept for name, inode in self.kept.items()})
        names = sorted({*self.now, *self.kept})
        found = {name: chance.choice([self.now, self.kept]).get(name) for name in names}
        return _files({name: inode.after_loss(chance) for name, inode in found.items() if inode is not None})


def _files(found: Files) -> Files:
    """Leave out folders, and files in folders that are not there."""
    there = {name: content for name, content in found.items() if Path(name).parent == Path() or "rows" in found}
    return {name: content for name, content in there.items() if name not in FOLDERS}


def _apply(content: bytearray, place: int, data: bytes | None) -> None:
    if data is None:
        content[:] = content[:place].ljust(place, b"\0")
        return
    content.extend(bytes(max(0, place - len(content))))
    content[place : place + len(data)] = data


@dataclass(frozen=True)
class Call:
    """A call that changed something: its name, the path in the data folder, and bytes, places, lengths."""

    name: str
    path: str = ""
    more: tuple[Any, ...] = ()


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> list[Call]:
    """Give the calls of a run of the workload, with `acknowledged` after each step."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    folder = tmp_path_factory.mktemp("trace")
    log = folder / "calls.txt"
    options = ["-f", "-y", "-xx", "-s", "10000000", "-e", f"trace={CALLS}", "-o", str(log)]
    writer = [sys.executable, "-c", WRITER, str(folder / "data"), str(Path(__file__).with_name("conftest.py"))]
    done = subprocess.run([strace, *options, *writer], capture_output=True, text=True, check=False)
    if "ptrace" in done.stderr:
        pytest.skip(f"strace may not trace: {done.stderr.splitlines()[0]}")
    assert done.returncode == 0, done.stderr
    return list(_parsed(log.read_text(), folder / "data"))


def _parsed(text: str, folder: Path) -> Iterator[Call]:
    for line in text.splitlines():
        match = LINE.match(line)
        if match is None or int(match["result"]) < 0:
            continue
        name, arguments = match["name"], [_value(each) for each in match["arguments"].split(", ")]
        if name == "openat":
            arguments = arguments[1:]
        if arguments[1:2] == [b"acknowledged"]:
            yield Call("acknowledged")
        elif isinstance(arguments[0], bytes) and (name != "openat" or "O_CREAT" in match["arguments"]):
            path = Path(os.fsdecode(arguments[0]))
            if path.is_relative_to(folder) and not path.name.endswith(("-shm", ".lock")) and name != "write":
                yield Call(name, str(path.relative_to(folder)), tuple(_more(name, arguments)))


def _more(name: str, arguments: list[Any]) -> list[Any]:
    wanted = {"pwrite64": [1, -1], "ftruncate": [-1]}.get(name, [])
    return [arguments[place] for place in wanted]


def _value(text: str) -> Any:
    match = BYTES.search(text)
    if match:
        return bytes.fromhex(match["bytes"].replace("\\x", ""))
    return int(text) if text.lstrip("-").isdigit() else text


def test_the_order_of_calls(calls: list[Call]) -> None:
    """Of a put: rows, their sync, the log, its sync, the answer; before the first row of a slab its name is synced."""
    ends = [place for place, call in enumerate(calls) if call.name == "acknowledged"]
    third = [f"{call.name} {call.path}" for call in calls[ends[1] + 1 : ends[2]]]
    short = [call for place, call in enumerate(third) if call not in third[max(0, place - 1) : place]]
    rows, log = "rows/1-1.rows", "vectors.sqlite3-wal"
    assert short[:7] == [
        f"openat {rows}",
        f"ftruncate {rows}",
        f"pwrite64 {rows}",
        f"fdatasync {rows}",
        "fsync rows",
        f"pwrite64 {log}",
        f"fdatasync {log}",
    ]


def test_power_is_lost_between_any_two_calls(
    calls: list[Call], states: list[Any], opened: Callable[[Files], Any]
) -> None:
    """At every call with the least that the medium must hold, at every fifth with some mixture of the rest."""
    _lose_power(calls, states, opened, every=5, mixtures=1)


@pytest.mark.slow
def test_power_is_lost_between_any_two_calls_for_long(
    calls: list[Call], states: list[Any], opened: Callable[[Files], Any]
) -> None:
    """The same at every call, with many mixtures."""
    _lose_power(calls, states, opened, every=1, mixtures=20)


def _lose_power(
    calls: list[Call], states: list[Any], opened: Callable[[Files], Any], *, every: int, mixtures: int
) -> None:
    chance = random.Random(11)  # noqa: S311 - no secret
    medium, done, seen = Medium(), 0, set()
    for number, call in enumerate(calls):
        if call.name == "acknowledged":
            done += 1
        else:
            medium.play(call.name, call.path, list(call.more))
        images = [medium.after_loss(chance, least=True)]
        if number % every == 0:
            images += [medium.after_loss(chance, least=False) for _ in range(mixtures)]
        for files in images:
            key = (done, tuple(sorted(files.items())))
            if key not in seen:
                seen.add(key)
                assert opened(files) in states[done : done + 2], f"after call {number}, {call.name} {call.path}"
    assert done == len(states) - 1
