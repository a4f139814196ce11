"""Many files in processes of their own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nestor.domain import Reading
from nestor.errors import InvalidInput, NestorError, UnreadableFile
from nestor.media import ReaderPool, ReadOptions, discover, read

Make = Callable[..., Path]

READER = """
import os, signal, sys, time
from nestor.media import read as really

def read(path, options):
    word = path.read_text().split()[0]
    if word == "hang":
        time.sleep(600)
    if word == "spin":
        while True: pass
    if word == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if word == "exit":
        os._exit(3)
    if word == "eat":
        return bytearray(1 << 60)
    if word == "raise":
        raise RuntimeError("no")
    if word == "print":
        print("x" * 100_000, flush=True)
        os.write(1, b"y" * 1000)
    return really(path, options)
"""


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of a reader that does what the file says, in the child only."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "misbehaving_reader.py").write_text(READER)
    monkeypatch.syspath_prepend(folder)
    return "misbehaving_reader:read"


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., list[Path]]:
    """Return a function that writes one text file a word."""

    def write(*words: str) -> list[Path]:
        paths = []
        for number, word in enumerate(words):
            path = tmp_path / f"{number}.txt"
            path.write_text(f"{word} {number}")
            paths.append(path)
        return paths

    return write


def told(result: Reading | UnreadableFile) -> str:
    """Return the text of a result, or why there is none."""
    return result.reason if isinstance(result, UnreadableFile) else result.segments[0].text


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_the_order_of_the_files(files: Callable[..., list[Path]], jobs: int) -> None:
    """Readable or not, each with its path."""
    paths = files(*["word"] * 30)
    paths[7].unlink()
    with ReaderPool(jobs) as pool:
        results = list(pool.read_all(paths))
        again = list(pool.read_all(paths[:2]))
    assert [path for path, _ in results] == paths
    assert [told(result) for _, result in results] == [f"word {i}" if i != 7 else "missing" for i in range(30)]
    assert len(again) == 2


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_file_that_ends_or_hangs_its_process_costs_only_itself(
    files: Callable[..., list[Path]], reader: str, jobs: int
) -> None:
    """Killed, crashed, hanging in sleep or in a loop, out of memory, printing: the next files are still read."""
    words = ["a", "die", "b", "segfault", "exit", "c", "hang", "d", "spin", "eat", "raise", "print", "e"]
    with ReaderPool(jobs, ReadOptions(timeout_seconds=0.5), reader=reader) as pool:
        results = [told(result) for _, result in pool.read_all(files(*words))]
    assert results == [
        *("a 0", "crashed", "b 2", "crashed", "crashed", "c 5", "timeout", "d 7", "timeout", "oversized", "broken"),
        *("print 11", "e 12"),
    ]


def test_a_file_that_really_takes_too_long_is_a_timeout(tmp_path: Path) -> None:
    """Comments that never end take the parser of HTML minutes."""
    (tmp_path / "a.html").write_text("<html>" + "<!-- " * 200_000)
    (tmp_path / "b.html").write_text("<html><p>fine</p></html>")
    with ReaderPool(1, ReadOptions(timeout_seconds=1)) as pool:
        results = [told(result) for _, result in pool.read_all(discover([tmp_path]))]
    assert results == ["timeout", "fine"]


def test_several_threads_may_read(make_pdf: Make, make_image: Make) -> None:
    """PDFium and the filters of warnings are guarded; results are those of one thread."""
    paths = [make_pdf("a.pdf"), make_image("a.png"), make_image("a.jpg"), make_pdf("b.pdf")] * 8
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(read, paths)) == [read(path) for path in paths]


def test_reading_is_lazy_and_only_a_little_ahead(files: Callable[..., list[Path]]) -> None:
    """A thousand files are not taken before the first result is."""
    taken = 0
    paths = files(*["word"] * 60)

    def counted() -> Iterator[Path]:
        nonlocal taken
        for path in paths:
            taken += 1
            yield path

    with ReaderPool(2) as pool:
        results = pool.read_all(counted())
        assert taken == 0
        next(results)
        assert taken <= 8
        time.sleep(0.05)
        next(results)
        assert taken <= 9


def children(parent: int = 0) -> set[int]:
    """Return the reader processes whose parent this process is, or the given one."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if int(status[1]) == (parent or os.getpid()) and b"nestor.media.worker" in command:
            found.add(int(folder.name))
    return found


def test_leaving_early_leaves_no_process(files: Callable[..., list[Path]], reader: str) -> None:
    """Also while a file hangs."""
    before = children()
    with ReaderPool(2, reader=reader) as pool:
        results = pool.read_all(files("a", "hang", "hang", "hang"))
        next(results)
        assert children() - before
    assert children() == before


def test_a_pool_without_files_starts_no_process() -> None:
    """Processes start when they are needed."""
    before = children()
    with ReaderPool(2) as pool:
        assert list(pool.read_all([])) == []
        assert children() == before


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_a_killed_parent_leaves_no_orphans(
    files: Callable[..., list[Path]], reader: str, end: signal.Signals, tmp_path: Path
) -> None:
    """Ctrl-C, or even kill -9, of the program: its readers end although their files hang."""
    paths = [str(path) for path in files("a", "hang", "hang")]
    script = f"""
import sys
sys.path.insert(0, {str(tmp_path / "modules")!r})
from nestor.media import ReaderPool
with ReaderPool(2, reader={reader!r}) as pool:
    for path, result in pool.read_all({paths!r}):
        print("got", flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "got\n"
        readers = children(parent.pid)
        assert readers
        parent.send_signal(end)
        parent.wait(20)
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in readers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in readers if Path(f"/proc/{pid}").exists()]


def test_a_reader_killed_between_files_is_replaced(files: Callable[..., list[Path]]) -> None:
    """The file after it is not blamed."""
    first, second = files("a", "b")
    with ReaderPool(1) as pool:
        before = children()
        list(pool.read_all([first]))
        for pid in children() - before:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.2)
        assert told(next(pool.read_all([second]))[1]) == "b 1"


def test_small_texts_cost_little(tmp_path: Path) -> None:
    """Far below a millisecond each once the processes run; the bound leaves room for a busy machine."""
    for number in range(1000):
        (tmp_path / f"{number:04}.txt").write_text(f"note {number}")
    with ReaderPool(1) as pool:
        paths = list(discover([tmp_path]))
        next(pool.read_all(paths))
        start = time.perf_counter()
        assert sum(1 for _ in pool.read_all(paths)) == 1000
        assert time.perf_counter() - start < 2.0


def test_wrong_use_is_refused() -> None:
    """No jobs, a reader that does not exist, a pool that is closed."""
    with pytest.raises(InvalidInput, match="at least one job"):
        ReaderPool(0)
    with ReaderPool(1, reader="nestor.media:nothing") as pool, pytest.raises(NestorError, match="could not start"):
        list(pool.read_all(["a"]))
    with pytest.raises(RuntimeError):
        list(pool.read_all(["a"]))


def test_all_real_media_are_read(shared_media: Path) -> None:
    """281 items of the collection: every one gives segments with text or a picture, none a crash."""
    with ReaderPool(2) as pool:
        results = {path: result for path, result in pool.read_all(discover([shared_media])) if path.name != "SOURCE.md"}
    assert len(results) == 281
    failed = {path: str(result) for path, result in results.items() if isinstance(result, UnreadableFile)}
    assert not failed
    for result in results.values():
        assert isinstance(result, Reading)
        assert result.segments
        assert all(segment.text or segment.image for segment in result.segments)
        assert result.warnings == ()
