"""BM25 and its fusion with distance against a plain reading of their definitions, over random writes."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from math import log
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3vectors_local import boto
from s3vectors_local.engine import Engine, open_engine

INDEX = {"vectorBucketName": "demo", "indexName": "texts"}
WORDS = ("ant", "bee", "cow", "dog", "elk")
TEXT = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)
VALUE = TEXT | st.lists(TEXT, min_size=1, max_size=2) | st.integers(0, 1)
METADATA = st.fixed_dictionaries({}, optional={"body": VALUE, "title": VALUE, "n": st.integers(0, 2)})
ROW = st.lists(st.integers(-2, 2), min_size=2, max_size=2)
PUT = st.lists(st.tuples(st.integers(0, 6), ROW, METADATA), min_size=1, max_size=5)
DELETE = st.lists(st.integers(0, 6), min_size=1, max_size=3, unique=True)
STEPS = st.lists(st.tuples(st.just("put"), PUT) | st.tuples(st.just("delete"), DELETE), min_size=1, max_size=5)
QUERY = st.lists(st.sampled_from((*WORDS, "unheard")), min_size=1, max_size=4).map(" ".join)
QUERIES = st.fixed_dictionaries({"body": QUERY}, optional={"title": QUERY})
Stored = dict[str, tuple[list[int], dict[str, Any]]]


@pytest.fixture(scope="module")
def database() -> Iterator[tuple[Engine, Any]]:
    """Give an engine in memory with one bucket, and a client of it."""
    with open_engine(None) as engine:
        client = boto.client(engine)
        client.create_vector_bucket(vectorBucketName="demo")
        yield engine, client


@settings(max_examples=120, deadline=None)
@given(steps=STEPS, queries=QUERIES, late=st.booleans(), vector=st.none() | ROW, wanted=st.none() | st.integers(0, 2))
def test_ranking(
    database: tuple[Engine, Any],
    steps: list[tuple[str, Any]],
    queries: dict[str, str],
    late: bool,
    vector: list[int] | None,
    wanted: int | None,
) -> None:
    """Keys, order and every score are the oracle's, whatever was overwritten and deleted, and however late the key."""
    engine, client = database
    with suppress(client.exceptions.NotFoundException):  # of an example that failed
        client.delete_index(**INDEX)
    keys = {"textSearchConfigurations": [{"metadataKey": "body"}, {"metadataKey": "title"}]}
    configuration = {} if late else {"metadataConfiguration": keys}
    client.create_index(**INDEX, dataType="float32", dimension=2, distanceMetric="euclidean", **configuration)
    stored = _written(client, steps)
    if late:
        client.update_metadata_configuration(**INDEX, add=keys)
    arguments: dict[str, Any] = {"topK": 100, "returnScores": True}
    arguments["queryTexts"] = [{"metadataKey": key, "text": text} for key, text in queries.items()]
    if vector is not None:
        arguments["queryVector"] = {"float32": vector}
    if wanted is not None:
        arguments["filter"] = {"n": wanted}
    found = client.query_vectors(**INDEX, **arguments)["vectors"]
    assert engine.verify() == []
    allowed = [key for key, (_, metadata) in stored.items() if wanted is None or metadata.get("n") == wanted]
    bm25 = {key: _bm25(stored, key, text) for key, text in queries.items()}
    expected = _fused(stored, bm25, vector, allowed) if vector is not None else _summed(bm25, allowed)
    totals = [_total(each["scores"], hybrid=vector is not None) for each in found]
    assert {each["key"]: total for each, total in zip(found, totals, strict=True)} == pytest.approx(expected)
    assert totals == sorted(totals, reverse=True)
    for each in found:
        scores = {score["metadataKey"]: score["score"] for score in each["scores"]["bm25Scores"]}
        assert scores == pytest.approx({key: of[each["key"]] for key, of in bm25.items() if each["key"] in of})


def _written(client: Any, steps: list[tuple[str, Any]]) -> Stored:
    stored: Stored = {}
    for kind, content in steps:
        if kind == "delete":
            client.delete_vectors(**INDEX, keys=[f"k{number}" for number in content])
            for number in content:
                stored.pop(f"k{number}", None)
            continue
        vectors = [{"key": f"k{n}", "data": {"float32": row}, "metadata": metadata} for n, row, metadata in content]
        client.put_vectors(**INDEX, vectors=vectors)
        stored |= {f"k{n}": (row, metadata) for n, row, metadata in content}
    return stored


def _words(value: Any) -> Counter[str]:
    texts = value if isinstance(value, list) else [value]
    return Counter(word for text in texts if isinstance(text, str) for word in text.split())


def _bm25(stored: Stored, field: str, query: str) -> dict[str, float]:
    documents = {key: _words(metadata.get(field)) for key, (_, metadata) in stored.items()}
    documents = {key: words for key, words in documents.items() if words}
    average = sum(words.total() for words in documents.values()) / max(1, len(documents))
    scores: dict[str, float] = {}
    for key, words in documents.items():
        for word in query.split():
            if words[word]:
                holding = sum(1 for other in documents.values() if other[word])
                idf = log(1 + (len(documents) - holding + 0.5) / (holding + 0.5))
                length = 1.2 * (0.25 + 0.75 * words.total() / average)
                scores[key] = scores.get(key, 0.0) + idf * words[word] * 2.2 / (words[word] + length)
    return scores


def _summed(bm25: dict[str, dict[str, float]], allowed: list[str]) -> dict[str, float]:
    sums = {key: sum(scores.get(key, 0.0) for scores in bm25.values()) for key in allowed}
    return {key: score for key, score in sums.items() if score}


def _fused(
    stored: Stored, bm25: dict[str, dict[str, float]], vector: list[int], allowed: list[str]
) -> dict[str, float]:
    # Equal ones rank in the order of first writing, which sorted() keeps where `allowed` has it: see _order.
    order = _order(stored, allowed)
    near = sorted(order, key=lambda key: float(((np.array(stored[key][0]) - vector) ** 2).sum()))
    by_text = [sorted((key for key in order if key in scores), key=_descending(scores)) for scores in bm25.values()]
    rankings = [near, *by_text]
    return {key: sum(1 / (61 + ranking.index(key)) for ranking in rankings if key in ranking) for key in allowed}


def _descending(scores: dict[str, float]) -> Callable[[str], float]:
    return lambda key: -round(scores[key], 9)  # equal but for the order of adding is equal


def _order(stored: Stored, allowed: list[str]) -> list[str]:
    # A dict keeps the place of a key that is overwritten and gives a new one to a key that was deleted, as the engine.
    return [key for key in stored if key in allowed]


def _total(scores: dict[str, Any], *, hybrid: bool) -> float:
    return float(scores["fused"] if hybrid else sum(each["score"] for each in scores["bm25Scores"]))
