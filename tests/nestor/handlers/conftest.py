"""One logger for all functions, and the events of an HTTP API."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nestor.handlers import _runtime


@pytest.fixture(autouse=True, scope="session")
def _logger() -> None:
    """Make it before a test captures what is printed: it keeps its stream, and that of a test is closed after it."""
    _runtime._logger()


@pytest.fixture
def http_event(root: Path) -> Callable[..., dict[str, Any]]:
    """Return a function that gives API Gateway's event of a request, as its documentation shows payload format 2.0."""
    text = (root / "tests/events/query.json").read_text()

    def make(method: str, path: str, *, query: str = "", body: Any = None, **members: Any) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(text)
        event |= {"routeKey": f"{method} /{{proxy+}}", "rawPath": path, "rawQueryString": query}
        event["requestContext"]["http"] |= {"method": method, "path": path}
        event.pop("body")
        if body is not None:
            event["body"] = body if isinstance(body, str) else json.dumps(body)
        return event | members

    return make
