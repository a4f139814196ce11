"""How a home is left, over the real engine."""

from pathlib import Path
from typing import Any

import pytest

from nestor.errors import InvalidInput
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


def test_who_looks_before_the_first_ingest_sees_what_it_brings(
    settings: Settings, digest_embedder: Any, tmp_path: Path
) -> None:
    """Nothing is made by looking; what another process then stores is found without opening the home again."""
    text = "One swallow does not make a summer."
    (tmp_path / "a.txt").write_text(text)
    with Nestor(settings, read_only=True, embedder=digest_embedder) as looking:
        assert list(looking.manifests.all()) == []
        with pytest.raises(InvalidInput, match="Nothing was ingested here yet"):
            looking.search.ask(looking.search.words(text), dimension=1024)
        assert not settings.home.exists()
        with Nestor(settings, embedder=digest_embedder) as nestor:
            assert all(outcome.manifest for outcome in nestor.ingest.run([tmp_path / "a.txt"]))
            assert len(looking.search.ask(looking.search.words(text), dimension=1024).hits) == 1
        assert [manifest.file_name for manifest in looking.manifests.all()] == ["a.txt"]
        assert looking.search.sizes() == (256, 384, 1024, 3072)
