"""What every test may use."""

from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]
TOGETHER = ("system", "nestor/cli", "nestor/mcp")
"""Folders of tests that share what takes long to make: each is kept in one worker, which makes it once."""

# A machine may be busy: how long an example takes is no property of the code.
settings.register_profile("without-deadline", deadline=None)
settings.load_profile("without-deadline")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that are kept together."""
    for item in items:
        folder = item.path.relative_to(ROOT / "tests")
        group = next((each for each in TOGETHER if folder.is_relative_to(each)), None)
        if group is not None:
            item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the large open data beside a development checkout; skip where a clone has none."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no ../shared/data beside this clone")
    return folder
