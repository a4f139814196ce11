"""One step of one contender in a process of its own, under limits of time and memory."""

import os
import resource
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.contenders import ENTRIES
from bench.dataset import CACHE

ROOT = Path(__file__).parent.parent
PEERS = CACHE / "venv/bin/python"
"""The interpreter that has the other libraries; `make bench` sets it up."""
_SHARE = 0.75
"""Of the machine's memory: what a contender may hold of its own."""
_THREADS = {"build": "2", "ask": "1"}


class Failed(Exception):
    """Why a step gave no figures, in a sentence."""


@dataclass(frozen=True)
class Step:
    """How to run the steps of a contender over a set."""

    name: str
    folder: Path
    results: Path
    limit: float
    """Seconds."""

    def run(self, step: str, home: Path) -> None:
        """Run `build` or `ask` and append its figures to the results. Raises Failed."""
        python = Path(sys.executable) if ENTRIES[self.name].own else PEERS
        if not python.exists():
            raise Failed("not installed: `make bench` sets up the environment of the peers")
        command: list[str | Path] = [python, "-m", "bench.trial", step, self.name, "--set", self.folder, "--home", home]
        with tempfile.TemporaryFile("w+") as errors:
            process = subprocess.Popen(
                [*command, "--results", self.results],
                cwd=ROOT,
                env=_environment(step),
                stderr=errors,
                start_new_session=True,
            )
            self._wait(step, process)
            if process.returncode:
                errors.seek(0)
                raise Failed(f"{step} failed: {_last_line(errors.read()) or f'exit code {process.returncode}'}")

    def _wait(self, step: str, process: subprocess.Popen[bytes]) -> None:
        most = int(_SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
        resource.prlimit(process.pid, resource.RLIMIT_DATA, (most, most))
        try:
            process.wait(self.limit)
        except subprocess.TimeoutExpired:
            raise Failed(f"{step} did not finish in {self.limit:.0f} s") from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _environment(step: str) -> dict[str, str]:
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), _THREADS[step])
    return {**os.environ, **threads, "PYTHONWARNINGS": "ignore"}


def _last_line(text: str) -> str:
    """Return what went wrong: a traceback's last line."""
    lines = [line.strip() for line in text.replace(f"{ROOT}/", "").splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""
