"""Strategies over the real engine, against exact arithmetic."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.nestor.strategies.conftest import ROWS, Shelf

from nestor.domain import Hit
from nestor.errors import InvalidInput, VectorsError
from nestor.ports import VectorRow
from nestor.strategies import NAMES, Asked, Direct, Hierarchical, Hybrid, Refetch, Strategy, strategy

Asking = Callable[..., Asked]


EXACT, ROUNDED = 2e-6, 1e-3


def agree(hits: tuple[Hit, ...], expected: list[tuple[str, float]], *, within: float) -> None:
    """Assert that these are the expected hits, up to a change of order among those that are as near as `within`."""
    assert len({hit.key for hit in hits}) == len(hits) == len(expected)
    for hit, (_, similarity) in zip(hits, expected, strict=True):
        assert hit.similarity == pytest.approx(similarity, abs=within)
    last = expected[-1][1]
    assert {hit.key for hit in hits} >= {key for key, similarity in expected if similarity > last + 2 * within}


def keys(hits: tuple[Hit, ...]) -> list[str]:
    """Return the keys, in order."""
    return [hit.key for hit in hits]


@pytest.fixture(params=["direct", "hierarchical", "refetch"])
def exactly(request: pytest.FixtureRequest, shelf: Shelf) -> Strategy:
    """Return each strategy that promises the order of the full embedding, with every row a candidate."""
    found = strategy(str(request.param), shelf.vectors, candidates=ROWS)
    assert found.name == request.param
    return found


@pytest.mark.parametrize("top_k", [1, 10, 150])
def test_the_hits_are_those_of_the_full_embedding(
    exactly: Strategy, shelf: Shelf, question: Asking, top_k: int
) -> None:
    """The similarities, too, are of the last stage: exact, or within what a code rounds."""
    asked = question(7, top_k=top_k)
    expected = shelf.exact(asked)
    agree(exactly.search(asked).hits, expected, within=ROUNDED if exactly.name == "hierarchical" else EXACT)


def test_a_filter_holds(exactly: Strategy, shelf: Shelf, question: Asking) -> None:
    """The nearest of those that match, none else."""
    asked = question(9, where={"modality": {"$eq": "image"}})
    hits = exactly.search(asked).hits
    expected = shelf.exact(asked, among=lambda number: number % 4 == 0)
    agree(hits, expected, within=ROUNDED if exactly.name == "hierarchical" else EXACT)
    assert {hit.metadata["modality"] for hit in hits} == {"image"}


def test_the_service_refusing_is_an_error(exactly: Strategy, question: Asking) -> None:
    """Never an empty answer."""
    with pytest.raises(VectorsError, match="filter"):
        exactly.search(question(1, where={"modality": {"$near": "image"}}))


@pytest.mark.parametrize("dimension", [256, 3072])
def test_no_hit_shows_its_code(shelf: Shelf, question: Asking, dimension: int) -> None:
    """Whatever the strategy, and the index that it reads."""
    for found in (Direct(shelf.vectors), Hierarchical(shelf.vectors), Refetch(shelf.vectors)):
        hits = found.search(question(5, dimension=dimension)).hits
        assert all("code" not in hit.metadata and "text" in hit.metadata for hit in hits)


def test_hierarchical_is_one_request(shelf: Shelf, question: Asking) -> None:
    """100 candidates, no fallback, nothing asked of the large index, less than the free 512 KB."""
    shelf.vectors.drop(3072)
    ranking = Hierarchical(shelf.vectors).search(question(5))
    assert (ranking.spent.requests, ranking.candidates, ranking.fallbacks) == (1, 100, 0)
    assert 400_000 < ranking.spent.returned_bytes < 512_000


def test_candidates_beyond_100_come_in_pages(shelf: Shelf, question: Asking) -> None:
    """250 are three requests."""
    ranking = Hierarchical(shelf.vectors, coarse=384, candidates=250).search(question(5))
    assert (ranking.spent.requests, ranking.candidates) == (3, 250)


def test_more_hits_than_candidates_widen_the_search(shelf: Shelf, question: Asking) -> None:
    """Who asks for 150 gets 150."""
    for found in (Hierarchical(shelf.vectors), Refetch(shelf.vectors)):
        assert len(found.search(question(5, top_k=150)).hits) == 150


def test_what_has_no_code_is_fetched_and_counted(shelf: Shelf, question: Asking) -> None:
    """The order is the same; damaged codes count as missing; 250 rows without one cost three requests."""
    asked = question(11)
    before = Hierarchical(shelf.vectors, candidates=ROWS).search(asked)
    shelf.put(256, list(range(250)), codes=False)
    damaged = {"code": "AAAA", "text": "x"}
    shelf.vectors.put(256, [VectorRow(shelf.keys[300], _prefix(shelf, 300), damaged)])
    after = Hierarchical(shelf.vectors, candidates=ROWS).search(asked)
    assert keys(after.hits) == keys(before.hits)
    assert (before.fallbacks, after.fallbacks) == (0, 251)
    assert after.spent.requests == before.spent.requests + 3
    exact = dict(shelf.exact(asked))
    (hit,) = [hit for hit in after.hits if hit.key == shelf.keys[11]]
    assert hit.similarity == pytest.approx(exact[hit.key], abs=2e-6)


def test_a_candidate_without_code_and_embedding_is_an_error(shelf: Shelf, question: Asking) -> None:
    """The sizes do not agree: that is said, and not skipped."""
    shelf.put(256, [11], codes=False)
    shelf.vectors.delete(3072, [shelf.keys[11]])
    for found in (Hierarchical(shelf.vectors), Refetch(shelf.vectors)):
        with pytest.raises(VectorsError, match=r"not in the index of 3072 .*'011_segment_0'"):
            found.search(question(11))


def test_only_the_asked_number_is_reranked(shelf: Shelf, question: Asking) -> None:
    """Of 100 candidates the nearest 20 by the small index are put in order by the code."""
    asked = question(3)
    small = Direct(shelf.vectors).search(question(3, dimension=256, top_k=20))
    ranking = Hierarchical(shelf.vectors, rerank=20).search(asked)
    assert ranking.candidates == 20
    assert set(keys(ranking.hits)) <= set(keys(small.hits))


def test_a_smaller_size_is_ordered_by_its_own_similarity(shelf: Shelf, question: Asking) -> None:
    """A code has every prefix in it."""
    asked = question(8, dimension=1024)
    ranking = Hierarchical(shelf.vectors, candidates=ROWS).search(asked)
    agree(ranking.hits, shelf.exact(asked), within=2 * ROUNDED)  # fewer components round away less


def test_refetch_asks_once_for_each_100(shelf: Shelf, question: Asking) -> None:
    """One page of candidates and one of embeddings; bytes of both."""
    ranking = Refetch(shelf.vectors).search(question(5))
    assert (ranking.spent.requests, ranking.candidates) == (2, 100)
    assert ranking.spent.returned_bytes > 100 * 3072 * 4


@pytest.fixture
def searchable(shelf: Shelf) -> Shelf:
    """Return the shelf with its text made searchable, as `nestor setup` does."""
    shelf.client.update_metadata_configuration(
        vectorBucketName="nestor-test",
        indexName="embeddings-3072d",
        add={"textSearchConfigurations": [{"metadataKey": "text"}]},
    )
    return shelf


def test_hybrid_finds_words_that_lie_far_away(searchable: Shelf, question: Asking) -> None:
    """The exact word beats nearness; every hit tells its similarity and the score that ordered it."""
    asked = question(5, top_k=5)
    elsewhere = Asked(embedding=asked.embedding, words="word399", top_k=5)
    ranking = Hybrid(searchable.vectors).search(elsewhere)
    assert {searchable.keys[5], searchable.keys[399]} <= set(keys(ranking.hits))
    scores = [hit.score for hit in ranking.hits if hit.score is not None]
    assert len(scores) == 5
    assert scores == sorted(scores, reverse=True)
    similarity = dict(searchable.exact(Asked(embedding=asked.embedding, top_k=ROWS)))
    for hit in ranking.hits:
        assert hit.similarity == pytest.approx(similarity[hit.key], abs=2e-6)


def test_a_hit_that_the_service_tells_no_distance_of_is_measured(
    searchable: Shelf, question: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That costs a request, and is counted."""
    real = searchable.client.query_vectors

    def without(**request: Any) -> Any:
        answer = real(**request)
        answer["vectors"][0].pop("distance")
        answer["vectors"][0]["scores"].pop("vectorDistance")
        return answer

    monkeypatch.setattr(searchable.client, "query_vectors", without)
    asked = question(5)
    ranking = Hybrid(searchable.vectors).search(asked)
    assert (ranking.fallbacks, ranking.spent.requests) == (1, 2)
    assert ranking.hits[0].similarity == pytest.approx(dict(searchable.exact(asked))[ranking.hits[0].key], abs=2e-6)


def test_hybrid_of_a_filter(searchable: Shelf, question: Asking) -> None:
    """It selects before anything is ranked."""
    hits = Hybrid(searchable.vectors).search(question(5, where={"modality": "image"})).hits
    assert {hit.metadata["modality"] for hit in hits} == {"image"}


def test_hybrid_needs_words_and_a_searchable_text(shelf: Shelf, question: Asking) -> None:
    """Both are said."""
    with pytest.raises(InvalidInput, match="needs words"):
        Hybrid(shelf.vectors).search(Asked(embedding=question(1).embedding))
    with pytest.raises(VectorsError, match="`nestor setup`") as caught:
        Hybrid(shelf.vectors).search(question(1))
    assert caught.value.code == "ValidationException"
    with pytest.raises(VectorsError, match="NotFoundException"):
        Hybrid(shelf.vectors).search(question(1, dimension=1024))


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("nearest", {}, "no strategy 'nearest'.*hierarchical"),
        ("manual", {}, "none is known here.*`nestor rollback`.*--placeholder"),
        ("hierarchical", {"coarse": 1024}, "256 or 384"),
        ("refetch", {"candidates": 0}, "1 to 10,000"),
    ],
)
def test_what_cannot_be_is_refused(shelf: Shelf, name: str, options: dict[str, Any], words: str) -> None:
    """In words that help."""
    with pytest.raises(InvalidInput, match=words):
        strategy(name, shelf.vectors, **options)


def test_the_indexes_that_are_read(shelf: Shelf) -> None:
    """Whose embedder is checked."""
    read = {name: strategy(name, shelf.vectors).indexes(1024) for name in NAMES if name != "manual"}
    assert read == {"direct": (1024,), "hierarchical": (256,), "refetch": (256, 1024), "hybrid": (1024,)}


def _prefix(shelf: Shelf, number: int) -> Any:
    return shelf.full[number, :256]
