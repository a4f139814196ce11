"""Indexes and codes added and dropped, over the real engine and real manifests."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from nestor import codes, media
from nestor.adapters.s3vectors import S3Vectors
from nestor.errors import EmbedderMismatch, InvalidInput, VectorsError
from nestor.reindex import Reindex
from nestor.settings import Settings
from nestor.strategies import Asked, Hierarchical
from nestor.wiring import Nestor


class Refusing:
    """An embedder that must not be asked."""

    id = "digest-1"

    def embed_segments(self, segments: Any) -> Any:
        """Fail."""
        raise AssertionError

    embed_text_query = embed_segments_query = embed_segments


@pytest.fixture
def filled(tmp_path: Path, settings: Settings, digest_embedder: Any) -> Settings:
    """Return a home with some text, ingested without codes."""
    folder = tmp_path / "files"
    folder.mkdir()
    for number in range(7):
        (folder / f"{number}.txt").write_text(f"Text number {number}. " + "More of it. " * 60)
    with Nestor(settings, embedder=digest_embedder, with_codes=False) as nestor:
        assert all(outcome.manifest for outcome in nestor.ingest.run(media.discover([folder])))
    return settings


def content(nestor: Nestor, size: int) -> dict[str, Any]:
    """Return every row of an index as comparable values."""
    return {row.key: (row.embedding.tobytes(), dict(row.metadata)) for row in nestor.store.rows(size)}


def run(settings: Settings, **asked: Any) -> list[Any]:
    """Reindex with an embedder that fails when asked."""
    with Nestor(settings, embedder=Refusing()) as nestor:
        return list(nestor.reindex.run(**asked))


def test_codes_come_and_go_without_embedding(filled: Settings) -> None:
    """As an ingest would have written them; taken away again, everything is as before."""
    with Nestor(filled, read_only=True) as nestor:
        before = {size: content(nestor, size) for size in (256, 384, 1024, 3072)}
    run(filled, with_codes=True)
    with Nestor(filled, read_only=True) as nestor:
        full = {key: np.frombuffer(embedding, np.float32) for key, (embedding, _) in before[3072].items()}
        for size in codes.SIZES:
            told = {row.key: row.metadata["code"] for row in nestor.store.rows(size)}
            assert told == {key: codes.encode(embedding[None])[0] for key, embedding in full.items()}
        found = Hierarchical(nestor.store).search(Asked(embedding=next(iter(full.values()))))
        assert (found.fallbacks, found.candidates) == (0, 7)
    run(filled, with_codes=False)
    with Nestor(filled, read_only=True) as nestor:
        assert {size: content(nestor, size) for size in (256, 384, 1024, 3072)} == before


def test_a_dropped_index_stays_dropped_and_can_be_added_again(
    filled: Settings, tmp_path: Path, digest_embedder: Any
) -> None:
    """Unchanged files are skipped, a new one goes only where the others are, and adding makes the same rows again."""
    with Nestor(filled, read_only=True) as nestor:
        before = content(nestor, 1024)
    assert run(filled, drop=[1024, 384]) == []
    new = tmp_path / "files" / "new.txt"
    new.write_text("A new one.")
    with Nestor(filled, embedder=digest_embedder, with_codes=False) as nestor:
        outcomes = list(nestor.ingest.run(media.discover([tmp_path / "files"])))
        assert [outcome.path.name for outcome in outcomes if not outcome.skipped] == ["new.txt"]
        assert nestor.reindex.indexes() == (256, 3072)
        nestor.library.delete(new.absolute().as_uri())
    assert sum(done.rows for done in run(filled, add=[1024])) == 7
    with Nestor(filled, read_only=True) as nestor:
        after = content(nestor, 1024)
        assert {key: metadata for key, (_, metadata) in after.items()} == {
            key: metadata for key, (_, metadata) in before.items()
        }
        for key, (embedding, _) in after.items():
            # Made from rounded numbers: the last digit of float32 may differ.
            assert_allclose(np.frombuffer(embedding, "f4"), np.frombuffer(before[key][0], "f4"), atol=1e-8)
        assert {manifest.dimensions for manifest in nestor.manifests.all()} == {(256, 1024, 3072)}
        assert nestor.store.embedder(1024) == "digest-1"
        with pytest.raises(VectorsError):
            nestor.store.query(384, np.ones(384, np.float32), top_k=1)


def test_a_new_small_index_has_codes(filled: Settings) -> None:
    """Unless they are not wanted; the other small index is left alone."""
    run(filled, drop=[384])
    run(filled, add=[384])
    with Nestor(filled, read_only=True) as nestor:
        assert all("code" in row.metadata for row in nestor.store.rows(384))
        assert not any("code" in row.metadata for row in nestor.store.rows(256))


def test_it_may_be_interrupted_anywhere(filled: Settings) -> None:
    """Nothing names an index that is not filled; the same again completes it."""
    run(filled, drop=[1024])
    with Nestor(filled, embedder=Refusing()) as nestor:
        next(iter(nestor.reindex.run(add=[1024])))
        assert {manifest.dimensions for manifest in nestor.manifests.all()} == {(256, 384, 3072)}
    run(filled, with_codes=True)
    with Nestor(filled, embedder=Refusing()) as nestor:
        assert {manifest.dimensions for manifest in nestor.manifests.all()} == {(256, 384, 3072)}
        assert nestor.search.sizes() == (256, 384, 3072)
        with pytest.raises(InvalidInput, match="1024 components is filled in part: `nestor reindex --add 1024`"):
            nestor.search.check(dimension=1024)
        told = [each.what for each in nestor.doctor().examine().findings if each.wrong]
        assert any("embeddings-1024d is filled in part" in what for what in told)
    run(filled, add=[1024])
    with Nestor(filled, read_only=True) as nestor:
        assert len(content(nestor, 1024)) == 7
        assert nestor.store.embedder(1024) == "digest-1"
        assert {manifest.dimensions for manifest in nestor.manifests.all()} == {(256, 384, 1024, 3072)}


@pytest.mark.parametrize("asked", [{"add": [1024]}, {"drop": [1024]}], ids=["add", "drop"])
@pytest.mark.parametrize("step", ["note", "_name", "drop"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_an_interrupted_last_step_leaves_nothing_stale(
    filled: Settings,
    tmp_path: Path,
    digest_embedder: Any,
    monkeypatch: pytest.MonkeyPatch,
    asked: dict[str, Any],
    step: str,
    *,
    after: bool,
) -> None:
    """An ingest in between is refused or is found at every size that is searched; the same again completes it."""
    if "add" in asked:
        run(filled, drop=[1024])
    of = Reindex if step == "_name" else S3Vectors
    with monkeypatch.context() as patched, suppress(KeyboardInterrupt):
        patched.setattr(of, step, _interrupted(getattr(of, step), after=after))
        run(filled, **asked)
    new = tmp_path / "files" / "new.txt"
    new.write_text("A new one.")
    with Nestor(filled, embedder=digest_embedder) as nestor:
        try:
            assert len(list(nestor.ingest.run([new]))) == 1
        except EmbedderMismatch as error:
            assert "is filled in part: `nestor reindex`" in str(error)  # noqa: PT017  # one way of two
        kept = {row.key for row in nestor.store.rows(3072)}
        for size in nestor.search.sizes():
            assert set(nestor.store.keys(size)) == kept
    run(filled, **asked)
    with Nestor(filled, embedder=digest_embedder) as nestor:
        assert all(outcome.manifest for outcome in nestor.ingest.run([new]))
        wanted = (256, 384, 1024, 3072) if "add" in asked else (256, 384, 3072)
        assert nestor.search.sizes() == wanted
        assert {manifest.dimensions for manifest in nestor.manifests.all()} == {wanted}
        assert {len(set(nestor.store.keys(size))) for size in wanted} == {8}


def _interrupted(step: Any, *, after: bool) -> Any:
    def interrupted(*args: Any, **named: Any) -> None:
        if after:
            step(*args, **named)
        raise KeyboardInterrupt

    return interrupted


def test_what_changed_since_an_interrupted_run_is_not_taken_from_it(
    filled: Settings, tmp_path: Path, digest_embedder: Any
) -> None:
    """Rows of a deleted file are gone, those of a changed one are made of what it holds now."""
    run(filled, drop=[1024])
    with Nestor(filled, embedder=Refusing()) as nestor:
        next(iter(nestor.reindex.run(add=[1024])))
    changed = tmp_path / "files" / "0.txt"
    changed.write_text("It holds something else now.")
    with Nestor(filled, embedder=digest_embedder) as nestor:
        assert all(outcome.manifest for outcome in nestor.ingest.run([changed]))
        nestor.library.delete((tmp_path / "files" / "1.txt").absolute().as_uri())
    run(filled, add=[1024])
    with Nestor(filled, embedder=digest_embedder) as nestor:
        assert set(nestor.store.keys(1024)) == set(nestor.store.keys(3072))
        found = nestor.search.ask(nestor.search.words("It holds something else now."), dimension=1024, top_k=1)
        assert found.hits[0].distance == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "Say what to do"),
        ({"drop": [3072]}, "cannot be dropped"),
        ({"add": [512]}, "no index of 512"),
        ({"add": [256], "drop": [256]}, "at once"),
    ],
)
def test_what_makes_no_sense_changes_nothing(filled: Settings, asked: dict[str, Any], words: str) -> None:
    """It is said."""
    with pytest.raises(InvalidInput, match=words):
        run(filled, **asked)


def test_an_empty_home_has_nothing_to_work_from(settings: Settings) -> None:
    """No index is made."""
    with pytest.raises(InvalidInput, match="ingest first"):
        run(settings, add=[256])
