"""What a shell is given to complete."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nestor.adapters.manifests import SqliteManifests
from nestor.domain import Manifest, Status, file_uri

PROGRAM = Path(sys.executable).with_name("nestor")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a home that holds three assets, as far as its manifests tell."""
    uris = [file_uri(tmp_path / "files" / name) for name in ("apes.txt", "stars.txt")]
    manifests = SqliteManifests(tmp_path / "home" / "manifests.sqlite")
    manifests.put([Manifest(uri=uri, status=Status.STORED, segments=1) for uri in [*uris, "s3://media/film.mp4"]])
    manifests.close()
    return tmp_path / "home"


def _completed(home: Path, *words: str, cwd: Path) -> list[str]:
    """Ask the program as click's scripts do."""
    asked = {"_NESTOR_COMPLETE": "zsh_complete", "COMP_WORDS": " ".join(["nestor", *words])}
    answer = subprocess.run(
        [PROGRAM],
        env={**os.environ, **asked, "COMP_CWORD": str(len(words)), "NESTOR_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
        cwd=cwd,
    )
    return answer.stdout.splitlines()[1::3]


def test_what_is_stored_is_completed(home: Path, tmp_path: Path) -> None:
    """As a path from here, as a path from the root, or as an address: as it is being typed."""
    assert _completed(home, "delete", "files/", cwd=tmp_path) == ["files/apes.txt", "files/stars.txt"]
    assert _completed(home, "delete", f"{tmp_path}/files/a", cwd=tmp_path) == [f"{tmp_path}/files/apes.txt"]
    assert _completed(home, "delete", "s3://me", cwd=tmp_path) == ["s3://media/film.mp4"]
    other = tmp_path / "other"
    assert _completed(home, "--home", str(other), "delete", "f", cwd=tmp_path) == []
    assert not other.exists()


def test_sizes_and_strategies_are_completed(home: Path, tmp_path: Path) -> None:
    """By what they begin with."""
    assert _completed(home, "search", "--dimension", "3", cwd=tmp_path) == ["384", "3072"]
    assert _completed(home, "search", "--strategy", "h", cwd=tmp_path) == ["hierarchical", "hybrid"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_can_read_its_script(shell: str, tmp_path: Path) -> None:
    """The script is printed for all three; the shells that are here find no error in it."""
    answer = subprocess.run([PROGRAM, "completion", shell], capture_output=True, text=True, check=True)
    assert f"{shell}_complete" in answer.stdout
    if (found := shutil.which(shell)) is not None:
        script = tmp_path / "script"
        script.write_text(answer.stdout)
        checked = subprocess.run([found, "-n", script], capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, "")


def test_bash_completes(home: Path, tmp_path: Path) -> None:
    """The function that bash calls fills in a path, and what comes after the colon of an address."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash here")
    script = """
eval "$(nestor completion bash)"
complete -p nestor >&2
COMPREPLY=() COMP_WORDS=(nestor delete files/s) COMP_CWORD=2; _nestor_completion nestor; echo "${COMPREPLY[@]}"
COMPREPLY=() COMP_WORDS=(nestor delete s3 : //me) COMP_CWORD=4; _nestor_completion nestor; echo "${COMPREPLY[@]}"
"""
    path = os.pathsep.join([str(PROGRAM.parent), os.environ["PATH"]])
    answer = subprocess.run(
        [bash, "--norc", "-c", script],
        env={**os.environ, "PATH": path, "NESTOR_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert "_nestor_completion nestor" in answer.stderr
    assert answer.stdout.split() == ["files/stars.txt", "//media/film.mp4"]
