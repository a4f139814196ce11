"""A real browser before `nestor serve` over the samples; skipped where there is no browser.

In a run of its own (`make unit`): what drives the browser keeps an event loop running, beside which no other test can
start one.
"""

import json
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

api = pytest.importorskip("playwright.sync_api", reason="no playwright: it is in the group browser")

Open = Callable[..., Any]
Serving = Callable[..., Any]
TOKEN = "correct horse battery staple"  # noqa: S105  # it opens nothing
PROGRAM = Path(sys.executable).with_name("nestor")


@contextmanager
def _serving(home: Path, *options: str) -> Iterator[str]:
    command = [PROGRAM, "--home", home, "serve", "--port", "0", "--json", "--quiet", *options]
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True) as served:
        assert served.stdout is not None
        try:
            yield json.loads(served.stdout.readline())["url"]
        finally:
            served.terminate()


@pytest.fixture(scope="session")
def serving() -> Serving:
    """Return a context manager that serves a home, with options, and gives where."""
    return _serving


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home that holds the samples and the report of a comparison."""
    home = tmp_path_factory.mktemp("browser") / "home"
    samples = Path(__file__).parents[2] / "samples"
    for command in (["ingest", samples], ["compare", "--sample", "10", "--keep"]):
        subprocess.run([PROGRAM, "--home", home, *command, "--json"], check=True, capture_output=True)
    return home


@pytest.fixture(scope="session")
def address(home: Path) -> Iterator[str]:
    """Serve the samples and return where."""
    with _serving(home) as url:
        yield url


@pytest.fixture(scope="session")
def assets(address: str) -> dict[str, str]:
    """Return the id of each sample by its file's name, without the suffix."""
    with urllib.request.urlopen(f"{address}/assets?limit=100") as answer:  # noqa: S310  # our own server
        return {Path(each["file_name"]).stem: each["object_id"] for each in json.load(answer)["assets"]}


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Start Chromium: the system's, or playwright's own."""
    with api.sync_playwright() as playwright:
        system = shutil.which("chromium") or shutil.which("chromium-browser")
        try:
            started = playwright.chromium.launch(executable_path=system, args=["--no-sandbox"])
        except api.Error as error:
            pytest.skip(f"no browser starts: {str(error).splitlines()[0]}")
        yield started
        started.close()


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Open]:
    """Return a function that opens a path, or an address, in a new window.

    Whatever the console says of an error fails the test, but what holds the words that are `allowed`.
    """
    contexts: list[Any] = []
    said: list[str] = []
    expected: list[str] = []

    def go(path: str, *, allowed: str | Sequence[str] = (), **options: Any) -> Any:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        expected.extend([allowed] if isinstance(allowed, str) else allowed)
        page.goto(path if path.startswith("http") else address + path)
        return page

    yield go
    for context in contexts:
        context.close()
    assert [each for each in said if not any(words in each for words in expected)] == []
