"""How a home is left, over the real engine."""

import pytest

from nestor.settings import Settings
from nestor.wiring import Nestor
from s3vectors_local import Engine


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> list[Engine]:
    """Return the engines that were waited for until their indexes were ready."""
    engines: list[Engine] = []
    monkeypatch.setattr(Engine, "settle", lambda engine: engines.append(engine))  # noqa: PLW0108  # binds the engine
    return engines


def test_what_ends_well_leaves_the_indexes_ready(settings: Settings, settled: list[Engine]) -> None:
    """The next search need not wait."""
    with Nestor(settings) as nestor:
        nestor.client  # noqa: B018  # opened
    assert len(settled) == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_what_is_interrupted_or_fails_ends_at_once(
    settings: Settings, settled: list[Engine], error: type[BaseException]
) -> None:
    """Nobody waits for a build; the error is told, and the home is free."""
    with pytest.raises(error):
        _open_and_raise(settings, error)
    with Nestor(settings, settles=False) as nestor:
        nestor.client  # noqa: B018  # nobody holds it
    assert settled == []


def _open_and_raise(settings: Settings, error: type[BaseException]) -> None:
    with Nestor(settings) as nestor:
        nestor.client  # noqa: B018  # opened
        raise error
