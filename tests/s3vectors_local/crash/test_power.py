"""The power fails at any moment: what was acknowledged is there, the rest entirely or not at all.

A workload runs on a real folder, and what the disk may hold of it is kept at every sync and every commit. Of what was
not synced by then, bytes, sizes and names, anything may be there; each of these folders is then opened.
"""

import os
import random
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s3vectors_local.engine import Engine, open_engine
from s3vectors_local.errors import StoreError
from s3vectors_local.storage.slab import row_type
from s3vectors_local.storage.store import FILE_NAME

WAL = f"{FILE_NAME}-wal"
ROW = row_type(2).itemsize
Files = dict[str, bytes]
State = dict[str, Any]
Step = Callable[[Engine], Any]
Opener = Callable[[Files], State]


@dataclass(frozen=True)
class Image:
    """What a disk may hold at a moment: `done` steps were acknowledged; the next one may be `running`."""

    files: Files
    done: int
    running: bool
    moment: str


@dataclass
class Disk:
    """Watches a folder: what of it has been synced, and what may be lost."""

    folder: Path
    done: int = 0
    running: bool = False
    images: list[Image] = field(default_factory=list)
    synced: Files = field(default_factory=dict)
    """What the files in `rows` held when they were last synced; also files that were made or removed since."""
    names: set[str] = field(default_factory=set)
    """The files in `rows` when that folder was last synced."""
    log: bytes = b""
    """The log after the last commit."""
    chance: random.Random = field(default_factory=lambda: random.Random(3))  # noqa: S311 - no secret

    def sync(self, real: Callable[[int], None], file: int) -> None:
        """Sync a file or a folder of this folder; the power fails before and after."""
        path = self._path(file)
        self.power_fails(f"before the sync of {path}")
        real(file)
        if path == "rows":
            self.names = set(self._rows())
        elif path is not None:
            self.synced[path] = (self.folder / path).read_bytes()
        self.power_fails(f"after the sync of {path}")

    def commit(self, real: Callable[[], Any]) -> Any:
        """Commit; the power fails before, while the log is written, and after."""
        self.power_fails("before a commit")
        database, before = self._read(FILE_NAME), self._read(WAL)
        result = real()
        self.log = self._read(WAL)
        for _ in range(2 if self.log != before else 0):
            cut = self.chance.randint(_differ(before, self.log), len(self.log))
            torn = self.log[:cut] + before[cut:]
            for kept in (self._lost, self._garbage):
                self._keep("in a commit", kept, {FILE_NAME: database, WAL: torn})
        self.power_fails("after a commit")
        return result

    def power_fails(self, moment: str) -> None:
        """Keep what the disk may hold now, of files that nobody is writing to at this moment."""
        logs = {self._lost: self.log}
        for kept in (self._lost, self._kept, self._zeroed, self._garbage):
            self._keep(moment, kept, {FILE_NAME: self._read(FILE_NAME), WAL: logs.get(kept, self._read(WAL))})

    def _keep(self, moment: str, kept: Callable[[], Files], files: Files) -> None:
        moment = f"{moment} of step {self.done + self.running}, {kept.__name__}"
        self.images.append(Image({**files, **kept()}, self.done, self.running, moment))

    def _path(self, file: int) -> str | None:
        known = os.fstat(file)
        for path in (self.folder / "rows", *(self.folder / "rows").iterdir()):
            if os.path.samestat(path.stat(), known):
                return str(path.relative_to(self.folder))
        return None

    def _read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes() if (self.folder / name).exists() else b""

    def _rows(self) -> Files:
        return {f"rows/{path.name}": path.read_bytes() for path in (self.folder / "rows").iterdir()}

    def _lost(self) -> Files:
        """Nothing but what was synced; what was removed is there again."""
        return {name: self.synced.get(name, b"") for name in self.names}

    def _kept(self) -> Files:
        """All that was written."""
        return self._rows()

    def _zeroed(self) -> Files:
        """Sizes and names, but no bytes that were not synced."""
        return {name: self._unsynced(name, now, lambda _: 0) for name, now in self._rows().items()}

    def _garbage(self) -> Files:
        """Anything in place of bytes that were not synced."""
        return {name: self._unsynced(name, now, lambda byte: byte ^ 0x5A) for name, now in self._rows().items()}

    def _unsynced(self, name: str, now: bytes, instead: Callable[[int], int]) -> bytes:
        before = self.synced.get(name, b"").ljust(len(now), b"\0")[: len(now)]
        if before == now:
            return now
        changed = np.frombuffer(before, np.uint8) != np.frombuffer(now, np.uint8)
        left = np.frombuffer(now, np.uint8).copy()
        left[changed] = [instead(byte) for byte in left[changed].tolist()]
        return left.tobytes()


def _differ(one: bytes, other: bytes) -> int:
    """Return where two contents begin to differ."""
    end = min(len(one), len(other))
    return next((place for place in range(end) if one[place] != other[place]), end)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with tables and nothing in them."""
    with open_engine(tmp_path / "data"):
        return tmp_path / "data"


@pytest.fixture
def disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    """Watch the syncs and commits of this process in a folder."""
    watched = Disk(folder)
    _watch(watched, monkeypatch)
    return watched


def _watch(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    class Watched(sqlite3.Connection):
        def execute(self, sql: str, *args: Any) -> Any:
            if sql.startswith("PRAGMA wal_autocheckpoint"):  # often, so that the log begins again
                sql = "PRAGMA wal_autocheckpoint = 12"
            real = super().execute
            return disk.commit(lambda: real(sql, *args)) if sql == "COMMIT" else real(sql, *args)

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **more: connect(*args, factory=Watched, **more))
    for name in ("fsync", "fdatasync"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda file, real=real: disk.sync(real, file))


def _run(disk: Disk, steps: list[Step]) -> None:
    with open_engine(disk.folder) as engine:
        for step in steps:
            disk.running = True
            step(engine)
            disk.done, disk.running = disk.done + 1, False
            disk.power_fails("when answered")


def test_power_is_lost_at_any_sync(
    disk: Disk, workload: list[Step], states: list[State], opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever the power fails, and whatever is left of what was not synced: all that was answered is there."""
    _run(disk, workload)
    monkeypatch.undo()
    different = {(*sorted(image.files.items()), image.done, image.running): image for image in disk.images}
    assert len(different) > 6 * len(workload)
    for image in different.values():
        assert opened(image.files) in states[image.done : image.done + 1 + image.running], image.moment


def test_torn_log(
    folder: Path,
    workload: list[Step],
    states: list[State],
    state: Callable[[Engine], State],
    image: Callable[[Files], Path],
    opened: Opener,
) -> None:
    """A log cut at any byte gives the state of a commit, a later one the longer it is; with any rows behind it.

    One that was cut before an index was made, so that its rows are of no index, is not opened beside these.
    """
    steps = workload[:8]
    files = _left_by(folder, steps)
    rows = {name: content for name, content in files.items() if name.startswith("rows/")}
    reached = 0
    for cut in _cuts(len(files[WAL])):
        torn = {**files, WAL: files[WAL][:cut]}
        if lost := _rows_of_no_index(image(torn)):
            with pytest.raises(StoreError, match=r"belong to no index|the database is missing or empty"):
                open_engine(image(torn))
            torn = {name: content for name, content in torn.items() if name not in lost}
        with open_engine(image(torn)) as engine:
            found, slots = state(engine), _slots(engine)
        assert states.index(found) >= reached
        reached = states.index(found)
        left = {name: content for name, content in rows.items() if name in torn}
        assert opened({**torn, **_spoiled(left, slots)}) == found
    assert reached == len(steps)


def _rows_of_no_index(folder: Path) -> set[str]:
    names = {f"rows/{path.name}" for path in folder.glob("rows/*.rows")}
    try:
        with open_engine(folder, read_only=True) as engine:
            found = [
                index for bucket in engine.list_buckets().items for index in engine.list_indexes(bucket.name).items
            ]
    except StoreError:
        return names
    return names - {f"rows/{index.id}-{index.slab}.rows" for index in found}


def test_torn_slab(
    folder: Path,
    workload: list[Step],
    states: list[State],
    state: Callable[[Engine], State],
    image: Callable[[Files], Path],
    opened: Opener,
) -> None:
    """Rows that were torn at any byte, of a write that did not end, are not there and are in nobody's way."""
    files = _left_by(folder, workload[:4])
    name = "rows/1-1.rows"
    used = files[name][: 9 * ROW]
    for cut in range(3 * ROW):
        torn = used + b"\xa5" * cut
        left = torn if cut % 2 else torn.ljust(len(files[name]), b"\0")
        if cut % 8 == 0:
            assert opened({**files, name: left}) == states[4]
            continue
        with open_engine(image({**files, name: left}), read_only=True) as engine:
            assert (engine.verify(), state(engine)) == ([], states[4])


def _left_by(folder: Path, steps: list[Step]) -> Files:
    """Return what a process leaves that is killed after some steps."""
    with open_engine(folder) as engine:
        for step in steps:
            step(engine)
        paths = (folder / FILE_NAME, folder / WAL, *(folder / "rows").iterdir())
        return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def _cuts(length: int) -> list[int]:
    """Return lengths of a log: in and about its head, the boundaries of its frames, and its end."""
    chance = random.Random(5)  # noqa: S311 - no secret
    frames = range(32, length, 2 * (4096 + 24))
    return sorted({0, 1, 31, length, *(start + chance.choice([-1, 0, 1, 24, 2000]) for start in frames)})


def _slots(engine: Engine) -> dict[str, int]:
    if not engine.list_buckets().items:
        return {}
    return {f"rows/{index.id}-{index.slab}.rows": index.slots for index in engine.list_indexes("demo").items}


def _spoiled(rows: Files, slots: dict[str, int]) -> Files:
    return {name: content[: slots.get(name, 0) * ROW] + b"\xa5" * 5000 for name, content in rows.items()}
