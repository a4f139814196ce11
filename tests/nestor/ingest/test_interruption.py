"""An ingest or a deletion that stops anywhere is completed by doing it again."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from nestor.domain import DIMENSIONS
from nestor.ingest import Ingest
from nestor.outcome import Outcome
from nestor.settings import Settings
from nestor.wiring import Nestor

Ingesting = Callable[..., list[Outcome]]
Looking = Callable[[Nestor], dict[str, Any]]


class Stopped(Exception):
    """The process ends here."""


class StoppingAt:
    """Passes everything on to the real parts and stops before or after the nth write."""

    def __init__(self, nestor: Nestor, *, write: int, after: bool) -> None:
        """Count the writes of vectors, manifests and thumbnails together."""
        self.writes = 0
        self._write, self._after = write, after
        self.ingest = Ingest(
            embedder=nestor.embedder,
            vectors=_Counting(nestor.vectors, self),
            manifests=_Counting(nestor.manifests, self),
            thumbnails=_Counting(nestor.thumbnails, self),
        )

    def around(self, call: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """Stop here if this is the nth write."""
        self.writes += 1
        if self.writes == self._write and not self._after:
            raise Stopped
        answer = call(*args, **named)
        if self.writes == self._write and self._after:
            raise Stopped
        return answer


class _Counting:
    def __init__(self, real: Any, stopping: StoppingAt) -> None:
        self._real, self._stopping = real, stopping

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._real, name)
        if name in {"put", "delete"}:
            return lambda *args, **named: self._stopping.around(real, *args, **named)
        return real


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("write", range(1, 12))
def test_stopping_at_any_write_changes_nothing_in_the_end(
    nestor: Nestor, folder: Path, tmp_path: Path, ingest: Ingesting, stored: Looking, write: int, *, after: bool
) -> None:
    """First ingest, then a version with fewer segments and one with more: stopped, run again, equal to undisturbed."""
    from nestor import media

    ingest(nestor, folder)
    (folder / "long.txt").write_text("Short now.")
    (folder / "one.txt").write_text((folder / "one.txt").read_text() + " And more. " * 400)
    stopping = StoppingAt(nestor, write=write, after=after)
    try:
        list(stopping.ingest.run(media.discover([folder])))
    except Stopped:
        pass
    else:
        assert stopping.writes < write, "the write was not reached: a smaller range would do"
    ingest(nestor, folder)
    with Nestor(Settings(home=tmp_path / "undisturbed"), embedder=nestor.embedder) as undisturbed:
        ingest(undisturbed, folder)
        assert stored(nestor) == stored(undisturbed)


def test_an_interrupted_deletion_is_done_again(
    nestor: Nestor, folder: Path, ingest: Ingesting, stored: Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two sizes deleted, two not: delete again and nothing is left."""
    ingest(nestor, folder)
    uri = (folder / "long.txt").absolute().as_uri()
    real = nestor.vectors.delete

    def stop_at_1024(dimension: int, keys: Sequence[str]) -> None:
        if dimension == 1024:
            raise Stopped
        real(dimension, keys)

    with monkeypatch.context() as patched:
        patched.setattr(nestor.vectors, "delete", stop_at_1024)
        with pytest.raises(Stopped):
            nestor.library.delete(uri)
    assert nestor.library.counts(DIMENSIONS).unfinished == 1
    nestor.library.delete(uri)
    for dimension in DIMENSIONS:
        assert len(stored(nestor)[f"{dimension}"]) == 3


def test_what_an_interrupted_first_ingest_left_can_be_deleted(
    nestor: Nestor, folder: Path, ingest: Ingesting, stored: Looking
) -> None:
    """Rows are in the indexes, the asset is not complete: it is known all the same, and deleting it removes them."""
    stopping = StoppingAt(nestor, write=3, after=True)
    with pytest.raises(Stopped):
        list(stopping.ingest.run([folder / "long.txt"]))
    assert len(stored(nestor)["256"]) == 4
    (folder / "long.txt").unlink()
    ingest(nestor, folder)
    nestor.library.delete((folder / "long.txt").absolute().as_uri())
    for dimension in DIMENSIONS:
        assert len(stored(nestor)[f"{dimension}"]) == 3


INGEST_A_FOLDER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
import nestor.ingest
from conftest import DigestEmbedder
from nestor import media
from nestor.settings import Settings
from nestor.wiring import Nestor
nestor.ingest.BATCH_SEGMENTS = 4
if __name__ == "__main__":
    with Nestor(Settings(home=Path(sys.argv[1])), embedder=DigestEmbedder()) as wired:
        for outcome in wired.ingest.run(media.discover([Path(sys.argv[2])])):
            print(outcome.path.name, flush=True)
"""


def test_kill_9_in_the_middle_and_again_gives_the_undisturbed_state(
    tmp_path: Path, stored: Looking, digest_embedder: Any
) -> None:
    """Killed after the first, a later and each of several moments; the last run completes it."""
    files = tmp_path / "files"
    files.mkdir()
    for number in range(60):
        (files / f"{number:02}.txt").write_text(f"Note {number}. " + f"word{number} " * 50)
    script = tmp_path / "ingest_a_folder.py"
    script.write_text(INGEST_A_FOLDER)

    def run(home: Path, *, kill_after: int | None) -> int:
        command = [sys.executable, str(script), str(home), str(files), str(Path(__file__).parents[1])]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout
        seen = 0
        for _ in process.stdout:
            seen += 1
            if seen == kill_after:
                time.sleep(0.003 * kill_after)
                os.kill(process.pid, signal.SIGKILL)
        process.stdout.close()
        process.wait()
        return seen

    killed, undisturbed = tmp_path / "killed", tmp_path / "undisturbed"
    for kill_after in (1, 6, 15):
        run(killed, kill_after=kill_after)
    assert run(killed, kill_after=None) == 60
    assert run(undisturbed, kill_after=None) == 60
    states = []
    for home in (killed, undisturbed):
        with Nestor(Settings(home=home), embedder=digest_embedder) as wired:
            states.append(stored(wired))
    assert states[0] == states[1]
    assert len(states[0]["3072"]) == 60
    shutil.rmtree(killed)
