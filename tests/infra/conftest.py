"""The stacks, synthesised once for all workers, in a process of their own."""

import fcntl
import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.template import Deployed, Template

Synthesis = Callable[[str, Path], subprocess.CompletedProcess[str]]
WHOLE = """
import sys
from pathlib import Path
from infra.app import synthesise
from infra.permissions import whole
synthesise(whole(), bundle=False, out=Path(sys.argv[1]))
"""


@pytest.fixture(scope="session")
def synthesis(root: Path) -> Synthesis:
    """Return a call that synthesises an environment, `whole` with all there can be; skip where CDK is not installed."""
    if importlib.util.find_spec("aws_cdk") is None:
        pytest.skip("aws-cdk-lib is not installed: the dependency group `infra`")

    def synthesise(environment: str, folder: Path) -> subprocess.CompletedProcess[str]:
        shipped = ["-m", "infra.app", "--environment", environment, "--no-bundle", "--out", str(folder)]
        command = [sys.executable, *(["-c", WHOLE, str(folder)] if environment == "whole" else shipped)]
        return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)

    return synthesise


@pytest.fixture(scope="session", params=["dev", "prod"])
def name(request: pytest.FixtureRequest) -> str:
    """Return the name of an environment that is shipped."""
    return str(request.param)


@pytest.fixture(scope="session")
def assemblies(synthesis: Synthesis, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Callable[[str], Path]:
    """Return a call that gives the folder of an environment's templates; the first worker to ask makes it."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent

    def assembly(environment: str) -> Path:
        folder = shared / f"assembly-{environment}"
        with (shared / f"assembly-{environment}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / "done").exists():
                done = synthesis(environment, folder)
                assert done.returncode == 0, done.stderr
                (folder / "done").touch()
        return folder

    return assembly


@pytest.fixture(scope="session")
def assembly(assemblies: Callable[[str], Path], name: str) -> Path:
    """Return the folder of the templates of one environment."""
    return assemblies(name)


@pytest.fixture(scope="session")
def embedder(assembly: Path) -> Template:
    """Return the template of the embedder's stack."""
    return _template(assembly / "NovaMMEEmbedderStack.template.json")


@pytest.fixture(scope="session")
def chatbot(assembly: Path) -> Template:
    """Return the template of the chatbot's stack."""
    return _template(assembly / "NovaMMEChatbotStack.template.json")


@pytest.fixture(scope="session")
def dev(assemblies: Callable[[str], Path]) -> dict[str, Deployed]:
    """Return both templates of dev as if they were deployed."""
    return _deployed(assemblies("dev"))


@pytest.fixture(scope="session")
def whole(assemblies: Callable[[str], Path]) -> dict[str, Deployed]:
    """Return both templates of an environment with everything there can be, as if they were deployed."""
    return _deployed(assemblies("whole"))


def _deployed(folder: Path) -> dict[str, Deployed]:
    embedder = Deployed(_template(folder / "NovaMMEEmbedderStack.template.json"))
    chatbot = _template(folder / "NovaMMEChatbotStack.template.json")
    return {"embedder": embedder, "chatbot": Deployed(chatbot, addresses=embedder.exports)}


def _template(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found
