"""A real browser before `nestor serve` over the samples; skipped where there is no browser.

In a run of its own (`make unit`): what drives the browser keeps an event loop running, beside which no other test can
start one.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

api = pytest.importorskip("playwright.sync_api", reason="no playwright: it is in the group browser")

Open = Callable[..., Any]


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the samples and return where."""
    home = tmp_path_factory.mktemp("browser") / "home"
    samples = Path(__file__).parents[2] / "samples"
    nestor = [str(Path(sys.executable).with_name("nestor")), "--home", str(home)]
    subprocess.run([*nestor, "ingest", str(samples), "--json"], check=True, capture_output=True)
    served = subprocess.Popen([*nestor, "serve", "--port", "0", "--json"], stdout=subprocess.PIPE, text=True)
    assert served.stdout is not None
    yield json.loads(served.stdout.readline())["url"]
    served.terminate()
    served.communicate(timeout=30)


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
    """Return a function that opens a path in a new window; whatever the console says of an error fails the test."""
    contexts, said = [], []

    def go(path: str, *, allowed: str = "", **options: Any) -> Any:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(address + path)
        if allowed:
            said[:] = [each for each in said if allowed not in each]
        return page

    yield go
    for context in contexts:
        context.close()
    assert said == []
