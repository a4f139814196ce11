"""`nestor migrate`, `rollback` and `doctor` in processes of their own."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nestor.domain import DIMENSIONS
from nestor.migration.switch import Choice, choose, chosen
from nestor.settings import Settings
from nestor.wiring import Nestor

PROGRAM = str(Path(sys.executable).with_name("nestor"))
Command = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Return a function that runs a command with --json on a home, and gives code, document and words."""

    def run(*arguments: object, home: str = "home") -> tuple[int, Any, str]:
        done = subprocess.run(
            [PROGRAM, "--home", tmp_path / home, *map(str, arguments), "--json"],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr

    return run


def test_there_and_back(old: Any, command: Command, tmp_path: Path) -> None:
    """Dry run, migration, doctor, rollback, and a migration of what came back."""
    old.film("s3://src/a.mp4", 3)
    old.put("s3://src/b.png", segment="None", contentType="image/png", modalityType="IMAGE")
    code, document, _ = command("migrate", old.root, "--dry-run")
    assert (code, document["segments"], document["total"]["segments"]) == (0, 4, 4)
    assert command("status")[1]["indexes"] == {}
    code, document, words = command("migrate", old.root)
    assert code == 0, words
    assert (document["assets"]["stored"], document["verification"]["holds"]) == (2, True)
    assert json.loads((Path(document["folder"]) / "report.json").read_text())["segments"] == 4
    code, document, words = command("doctor", "--embedder", "nova")
    assert (code, document["well"]) == (0, True), words
    assert set(document["indexes"].values()) == {4}
    code, document, words = command("rollback", tmp_path / "back", "--all")
    assert (code, document["segments"], document["strategy"]) == (0, 4, "manual"), words
    choice = json.loads((tmp_path / "home/strategy.json").read_text())
    assert choice == {"strategy": "manual", "placeholder": str(tmp_path / "back")}
    code, document, words = command("migrate", tmp_path / "back", home="other")
    assert (code, document["segments"]) == (0, 4), words
    code, _, words = command("migrate", old.root)
    assert (code, "no longer by the manual" in words) == (0, True)
    assert not (tmp_path / "home/strategy.json").exists()


def test_words_and_exit_codes(old: Any, tmp_path: Path) -> None:
    """For people: what was stored, what was set aside, where the lists are. Something set aside gives exit code 1."""
    old.film("s3://src/a.mp4", 2)
    old.path("a_mp4_20251101120000", 1, 256).write_text("{")
    done = subprocess.run(
        [PROGRAM, "--home", tmp_path / "home", "migrate", old.root], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "1 assets stored (2 segments)" in done.stdout
    assert "Verified: 0 of 4 x 2 rows missing, 0 embeddings unequal" in done.stdout
    assert "set aside: 1 objects (broken)." in done.stderr


def test_a_source_that_is_not_there(command: Command, tmp_path: Path) -> None:
    """A mistyped name is an error."""
    code, document, words = command("migrate", tmp_path / "nowhere")
    assert (code, document) == (2, None)
    assert "nowhere" in words


def test_nothing_to_migrate_changes_nothing(command: Command, tmp_path: Path) -> None:
    """A wrong folder is an error, and takes no strategy back."""
    (tmp_path / "wrong").mkdir()
    (tmp_path / "wrong/readme.txt").write_text("hello")
    choose(tmp_path / "home", Choice("manual", str(tmp_path / "old")))
    code, document, words = command("migrate", tmp_path / "wrong")
    assert (code, document) == (2, None)
    assert "holds no embedding of a placeholder (but readme.txt" in words
    assert chosen(tmp_path / "home") == Choice("manual", str(tmp_path / "old"))
    assert command("status")[1]["indexes"] == {}


def test_nothing_to_roll_back_changes_nothing(command: Command, tmp_path: Path) -> None:
    """Searches of an empty home are not sent to an empty folder."""
    code, document, words = command("rollback", tmp_path / "back")
    assert (code, document) == (2, None)
    assert "Nothing is stored in this home" in words
    assert chosen(tmp_path / "home") is None


def test_what_the_migration_brought_lies_in_the_placeholder(old: Any, command: Command, tmp_path: Path) -> None:
    """With nothing added since, only that placeholder can be searched, or one that gets everything."""
    old.film("s3://src/a.mp4", 1)
    assert command("migrate", old.root)[0] == 0
    code, _, words = command("rollback", tmp_path / "back")
    assert (code, "--all" in words) == (2, True)
    assert chosen(tmp_path / "home") is None
    code, document, words = command("rollback", old.root)
    assert (code, document["assets"]) == (0, 0), words
    assert chosen(tmp_path / "home") == Choice("manual", str(old.root))


@pytest.mark.parametrize("below", ["", "sub"])
def test_a_file_is_no_folder_to_roll_back_to(old: Any, command: Command, tmp_path: Path, below: str) -> None:
    """One sentence, and the strategy is left alone."""
    old.film("s3://src/a.mp4", 1)
    assert command("migrate", old.root)[0] == 0
    (tmp_path / "file").write_text("mine")
    code, _, words = command("rollback", tmp_path / "file" / below, "--all")
    assert (code, "Cannot write" in words, "Traceback" in words) == (2, True, False)
    assert chosen(tmp_path / "home") is None


def test_what_comes_after_a_rollback(command: Command, tmp_path: Path) -> None:
    """It is found after another rollback, as the first one says."""
    for name in ("one", "two"):
        (tmp_path / f"{name}.txt").write_text(f"The {name} heron.")
        code, _, words = command("ingest", tmp_path / f"{name}.txt")
        assert (code, "finds what is new after `nestor rollback` again" in words) == (0, name == "two")
        code, _, words = command("rollback", tmp_path / "back")
        assert (code, "after the same `nestor rollback` again" in words) == (0, True)
    found = command("search", "heron")[1]
    assert (found["strategy"], len(found["hits"])) == ("manual", 2)


def test_a_sick_home(command: Command) -> None:
    """Exit code 1, and each finding says how to mend it."""
    code, document, _ = command("doctor")
    assert (code, document["well"]) == (1, False)
    assert {finding["mend"] for finding in document["findings"]} == {"Run `nestor setup`."}


def test_killed_and_resumed(old: Any, command: Command, tmp_path: Path, everything: Callable[[Nestor], Any]) -> None:
    """Killed at random moments, the next run goes on; the end is that of a run that nobody killed."""
    for number in range(60):
        old.film(f"s3://src/{number}.mp4", 20, sizes=[256, 3072])
    seed = secrets.randbits(32)
    draw = np.random.default_rng(seed)
    kills = 0
    for _ in range(5):
        process = subprocess.Popen(
            [PROGRAM, "--home", tmp_path / "home", "migrate", old.root],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(draw.uniform(0.4, 1.6))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            kills += 1
        process.wait(timeout=60)
    assert kills, f"seed {seed}: every run ended before it was killed"
    code, document, words = command("migrate", old.root)
    assert code == 0, f"seed {seed}: {words}"
    _, whole, _ = command("migrate", old.root, home="other")
    assert document["total"] == whole["total"], f"seed {seed}"
    assert document["total"]["segments"] == 1200
    with Nestor(Settings(home=tmp_path / "home")) as one, Nestor(Settings(home=tmp_path / "other")) as other:
        assert everything(one) == everything(other), f"seed {seed}"
        assert list(one.manifests.all()) == list(other.manifests.all()), f"seed {seed}"
        assert [sum(1 for _ in one.vectors.keys(size)) for size in DIMENSIONS] == [1200] * 4


@pytest.mark.parametrize("embedder", ["local", "nova"])
def test_who_only_looks_makes_no_home(
    old: Any, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, embedder: str
) -> None:
    """A home whose name was mistyped is not made by looking for it; a scan of a placeholder needs none."""
    monkeypatch.setenv("NESTOR_EMBEDDER", embedder)
    old.film("s3://src/a.mp4", 1)
    for arguments, expected in (
        (("assets",), 0),
        (("status",), 0),
        (("doctor",), 1),
        (("search", "heron"), 2),
        (("compare",), 2),
        (("rollback", tmp_path / "back"), 2),
    ):
        code, _, words = command(*arguments, home="mistyped")
        assert (arguments, code) == (arguments, expected), words
    if embedder == "local":
        code, document, words = command(
            "search", "heron", "--strategy", "manual", "--placeholder", old.root, home="mistyped"
        )
        assert (code, len(document["hits"])) == (0, 1), words
    assert not (tmp_path / "mistyped").exists()
