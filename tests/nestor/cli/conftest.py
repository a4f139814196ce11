"""The real program on real samples, in a process of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(sys.executable).with_name("nestor")
_RIGHTS = "-dac_override,-dac_read_search"


@dataclass(frozen=True)
class Answer:
    """What a command gave back."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Parse stdout: one JSON object on one line."""
        (line,) = self.out.splitlines()
        return json.loads(line)


Command = Callable[..., Answer]


def run(home: Path, *arguments: object, before: Sequence[str] = (), **environment: str) -> Answer:
    """Run `nestor --home HOME ARGUMENTS`, after the words that `before` holds."""
    done = subprocess.run(
        [*before, PROGRAM, "--home", home, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "COLUMNS": "120", **environment},
    )
    return Answer(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def library(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home that holds some of the samples, for tests that only look."""
    home = tmp_path_factory.mktemp("library")
    samples = root / "samples"
    answer = run(
        home,
        "ingest",
        *(
            samples / name
            for name in (
                "audio",
                "docx",
                "text",
                "pdf/nbgrader.pdf",
                "images/bonobos.jpg",
                "images/cat-mirror.jpg",
                "images/kitchen.jpg",
            )
        ),
        samples / "videos/nasa.mp4",
        "--collection",
        "samples",
    )
    assert answer.code == 0, answer.err
    return home


@pytest.fixture
def look(library: Path) -> Command:
    """Return a function that runs a command on the library; it must not write."""
    return lambda *arguments, **environment: run(library, *arguments, **environment)


@pytest.fixture
def nestor_command(tmp_path: Path) -> Command:
    """Return a function that runs a command on an empty home of this test's own."""
    return lambda *arguments, **environment: run(tmp_path / "home", *arguments, **environment)


@pytest.fixture
def bounded_command(tmp_path: Path) -> Command:
    """Return what `nestor_command` does; permissions hold for it also where root runs the tests."""
    before = [] if os.geteuid() else ["setpriv", f"--bounding-set={_RIGHTS}", f"--inh-caps={_RIGHTS}"]
    if before and shutil.which("setpriv") is None:
        pytest.skip("root may read everything")
    return lambda *arguments, **environment: run(tmp_path / "home", *arguments, before=before, **environment)
