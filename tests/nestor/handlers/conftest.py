"""One logger for all functions."""

import pytest

from nestor.handlers import _runtime


@pytest.fixture(autouse=True, scope="session")
def _logger() -> None:
    """Make it before a test captures what is printed: it keeps its stream, and that of a test is closed after it."""
    _runtime._logger()
