"""Text-searchable keys, and queries by text and by text with a vector."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

Address = dict[str, str]
SHAPE = {"dataType": "float32", "dimension": 2, "distanceMetric": "euclidean"}
VECTORS: tuple[tuple[str, list[float], dict[str, Any]], ...] = (
    ("cat", [0, 0], {"text": "The cats are sleeping", "title": "Cats", "color": "red"}),
    ("dog", [1, 0], {"text": "A dog chases a cat, and the dog barks", "title": "Dogs", "color": "blue"}),
    ("fish", [2, 0], {"text": "Fish swim", "title": "Fishes", "color": "red"}),
    ("lists", [3, 0], {"text": ["sleeping fish", "running dog"], "color": "blue"}),
    ("number", [4, 0], {"text": 7, "color": "red"}),
    ("nothing", [5, 0], {}),
)


def _create(client: Any, bucket: str, name: str = "texts", **more: Any) -> Address:
    address = {"vectorBucketName": bucket, "indexName": name}
    client.create_index(**address, **SHAPE, **more)
    return address


def _put(client: Any, index: Address) -> None:
    vectors = [{"key": key, "data": {"float32": data}, "metadata": metadata} for key, data, metadata in VECTORS]
    client.put_vectors(**index, vectors=vectors)


@pytest.fixture
def texts(client: Any, bucket: str) -> Address:
    """Give an index of VECTORS: `text` is non-filterable and English, `title` takes the standard analyzer."""
    configurations = [{"metadataKey": "text", "language": "en"}, {"metadataKey": "title"}]
    configuration = {"nonFilterableMetadataKeys": ["text"], "textSearchConfigurations": configurations}
    index = _create(client, bucket, metadataConfiguration=configuration)
    _put(client, index)
    return index


def _texts(text: str, **more: str) -> list[dict[str, str]]:
    return [{"text": value, "metadataKey": key} for key, value in ({"text": text} | more).items() if value]


def _query(client: Any, index: Address, text: str = "", **more: Any) -> Any:
    queries = {"queryTexts": _texts(text)} if text else {}
    return client.query_vectors(**index, **{"topK": 10} | queries | more)


def _keys(answer: Any) -> list[str]:
    return [each["key"] for each in answer["vectors"]]


def _refused(call: Any, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def _configured(client: Any, index: Address) -> list[dict[str, str]]:
    configuration = client.get_index(**index)["index"].get("metadataConfiguration", {})
    found: list[dict[str, str]] = configuration.get("textSearchConfigurations", [])
    return found


def test_configured_at_creation(client: Any, texts: Address) -> None:
    """GetIndex gives the keys back, ready, a language where one was given."""
    assert client.get_index(**texts)["index"]["metadataConfiguration"] == {
        "nonFilterableMetadataKeys": ["text"],
        "textSearchConfigurations": [
            {"metadataKey": "text", "language": "en", "status": "ACTIVE"},
            {"metadataKey": "title", "status": "ACTIVE"},
        ],
    }


@pytest.mark.parametrize("language", ["en", "fr", "es", "pt", "it", "de", "nl", "zh", "ja", "ko"])
def test_every_language(client: Any, bucket: str, language: str) -> None:
    """Each language of the model is taken, and finds a word of its own."""
    key = {"metadataKey": "text", "language": language}
    index = _create(client, bucket, metadataConfiguration={"textSearchConfigurations": [key]})
    client.put_vectors(**index, vectors=[{"key": "a", "data": {"float32": [0, 0]}, "metadata": {"text": "Tokio 東京"}}])
    assert _keys(_query(client, index, "tokio")) == ["a"]
    assert _keys(_query(client, index, "京")) == ["a"]
    assert _configured(client, index) == [key | {"status": "ACTIVE"}]


def test_added_to_vectors_that_are_there(client: Any, bucket: str) -> None:
    """A key added later finds what was stored before and what comes after."""
    index = _create(client, bucket)
    _put(client, index)
    arn = client.update_metadata_configuration(**index, add={"textSearchConfigurations": [{"metadataKey": "title"}]})
    assert arn["indexArn"] == client.get_index(**index)["index"]["indexArn"]
    assert _configured(client, index) == [{"metadataKey": "title", "status": "ACTIVE"}]
    new = {"key": "new", "data": {"float32": [9, 9]}, "metadata": {"title": "big cats"}}
    client.put_vectors(**index, vectors=[new])
    assert _keys(_query(client, index, queryTexts=_texts("", title="CATS"))) == ["cat", "new"]


def test_deleted(client: Any, texts: Address) -> None:
    """A deleted key is not searchable; the others stay, and it may be added again with another language."""
    client.update_metadata_configuration(**texts, delete={"textSearchConfigurations": [{"metadataKey": "text"}]})
    assert _configured(client, texts) == [{"metadataKey": "title", "status": "ACTIVE"}]
    assert "'text' is not configured for text search" in _refused(_query, client=client, index=texts, text="cat")[1]
    again = {"textSearchConfigurations": [{"metadataKey": "text"}]}
    client.update_metadata_configuration(indexArn=client.get_index(**texts)["index"]["indexArn"], add=again)
    assert _keys(_query(client, texts, "cats")) == ["cat"]


def test_nothing_to_add(client: Any, texts: Address) -> None:
    """The model allows to add none."""
    before = _configured(client, texts)
    client.update_metadata_configuration(**texts, add={"textSearchConfigurations": []})
    assert _configured(client, texts) == before


def test_conflict(client: Any, texts: Address) -> None:
    """A key that is searchable already is a conflict, and nothing of the request is done."""
    keys = [{"metadataKey": "new"}, {"metadataKey": "title", "language": "en"}]
    refusal = _refused(client.update_metadata_configuration, **texts, add={"textSearchConfigurations": keys})
    assert refusal[0] == "ConflictException"
    assert [each["metadataKey"] for each in _configured(client, texts)] == ["text", "title"]


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({}, "Must specify either add or delete but not both"),
        ({"add": {}, "delete": {"textSearchConfigurations": [{"metadataKey": "text"}]}}, "but not both"),
        ({"add": {"textSearchConfigurations": [{"metadataKey": "a"}, {"metadataKey": "a"}]}}, "distinct metadata key"),
        ({"add": {"textSearchConfigurations": [{"metadataKey": f"k{n}"} for n in range(9)]}}, "at most 10"),
        ({"add": {"textSearchConfigurations": [{"metadataKey": f"k{n}"} for n in range(11)]}}, "between 0 and 10"),
        ({"add": {"textSearchConfigurations": [{"metadataKey": "x" * 64}]}}, "between 1 and 63"),
        ({"add": {"textSearchConfigurations": [{"language": "en"}]}}, "/0/metadataKey' failed to satisfy"),
        (
            {"add": {"textSearchConfigurations": [{"metadataKey": "a", "language": "xx"}]}},
            "[en, fr, es, pt, it, de, nl",
        ),
        ({"delete": {"textSearchConfigurations": []}}, "between 1 and 10"),
        ({"delete": {}}, "Member must not be null"),
        ({"delete": {"textSearchConfigurations": [{"metadataKey": "nope"}]}}, "'nope' is not configured"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refused_updates(client: Any, texts: Address, change: dict[str, Any], part: str) -> None:
    """What breaks a rule is refused, and nothing changes."""
    before = _configured(client, texts)
    code, message = _refused(client.update_metadata_configuration, **texts, **change)
    assert code == "ValidationException"
    assert part in message
    assert _configured(client, texts) == before


def test_refused_creation(client: Any, bucket: str) -> None:
    """An index with one key twice is not created."""
    configuration = {"textSearchConfigurations": [{"metadataKey": "a"}, {"metadataKey": "a", "language": "en"}]}
    address = {"vectorBucketName": bucket, "indexName": "texts"}
    refusal = _refused(client.create_index, **address, **SHAPE, metadataConfiguration=configuration)
    assert refusal[0] == "ValidationException"
    assert _refused(client.get_index, **address)[0] == "NotFoundException"


def test_missing_index(client: Any, bucket: str) -> None:
    """No such index is NotFound."""
    address = {"vectorBucketName": bucket, "indexName": "nope"}
    add = {"textSearchConfigurations": [{"metadataKey": "a"}]}
    assert _refused(client.update_metadata_configuration, **address, add=add)[0] == "NotFoundException"


def test_text_alone(client: Any, texts: Address) -> None:
    """The best match first, in any form of the word; keys alone by default; what does not match is not there."""
    answer = _query(client, texts, "Dogs")
    assert answer["vectors"] == [{"key": "dog"}, {"key": "lists"}]
    assert answer["distanceMetric"] == "euclidean"
    assert "nextToken" not in answer
    assert _keys(_query(client, texts, "unheard of")) == []


def test_any_word_will_do(client: Any, texts: Address) -> None:
    """A vector that holds one of the words is found, one with more of them comes first; of equals the older one."""
    assert _keys(_query(client, texts, "sleeping fish")) == ["lists", "cat", "fish"]


def test_top_k(client: Any, texts: Address) -> None:
    """No more than topK."""
    assert _keys(_query(client, texts, "sleeping fish", topK=2)) == ["lists", "cat"]


def test_stop_words_find_nothing(client: Any, texts: Address) -> None:
    """In English `the` is no term; the standard analyzer keeps every word."""
    assert _keys(_query(client, texts, "the")) == []
    client.put_vectors(**texts, vectors=[{"key": "x", "data": {"float32": [0, 0]}, "metadata": {"title": "The end"}}])
    assert _keys(_query(client, texts, queryTexts=_texts("", title="the"))) == ["x"]


def test_blank_text(client: Any, texts: Address) -> None:
    """A text without words finds nothing, and beside a vector changes nothing."""
    assert _keys(_query(client, texts, " !?")) == []
    vector = {"float32": [0, 0]}
    assert _keys(_query(client, texts, " !?", queryVector=vector)) == [key for key, _, _ in VECTORS]


def test_scores_of_text(client: Any, texts: Address) -> None:
    """ReturnScores gives the BM25 score under each key that matched, and there is no distance without a vector."""
    queries = _texts("cat", title="cats")
    answer = _query(client, texts, queryTexts=queries, returnScores=True, returnDistance=True)["vectors"]
    assert [set(each) for each in answer] == [{"key", "scores"}] * 2
    scores = {each["key"]: each["scores"] for each in answer}
    assert set(scores["cat"]) == {"bm25Scores"}
    assert [each["metadataKey"] for each in scores["cat"]["bm25Scores"]] == ["text", "title"]
    assert [each["metadataKey"] for each in scores["dog"]["bm25Scores"]] == ["text"]
    assert all(each["score"] > 0 for found in scores.values() for each in found["bm25Scores"])


def test_several_texts(client: Any, texts: Address) -> None:
    """Without a vector the scores under all keys are added up."""
    answer = _query(client, texts, queryTexts=_texts("dog", title="Fishes"), returnScores=True)["vectors"]
    totals = [sum(each["score"] for each in found["scores"]["bm25Scores"]) for found in answer]
    assert {each["key"] for each in answer} == {"dog", "lists", "fish"}
    assert totals == sorted(totals, reverse=True)


def test_hybrid(client: Any, texts: Address) -> None:
    """Ranks by distance and by text are fused: the sum of 1 / (60 + rank)."""
    vector = {"float32": [2.2, 0]}  # fish, lists, dog, number, cat, nothing
    answer = _query(client, texts, "cat", queryVector=vector, returnScores=True, returnDistance=True)["vectors"]
    fused = {each["key"]: each["scores"]["fused"] for each in answer}
    by_text = _keys(_query(client, texts, "cat"))
    assert set(by_text) == {"dog", "cat"}
    by_distance = ("fish", "lists", "dog", "number", "cat", "nothing")
    expected = {key: 1 / (60 + place) for place, key in enumerate(by_distance, 1)}
    for place, key in enumerate(by_text, 1):
        expected[key] += 1 / (60 + place)
    assert fused == pytest.approx(expected)
    assert list(fused) == sorted(expected, key=lambda key: -expected[key])
    for each in answer:
        assert each["scores"]["vectorDistance"] == each["distance"]
        assert bool(each["scores"]["bm25Scores"]) is (each["key"] in by_text)


def test_hybrid_is_returned_by_rank(client: Any, texts: Address) -> None:
    """Fewer results are the first of more."""
    arguments: dict[str, Any] = {"queryVector": {"float32": [4, 0]}, "queryTexts": _texts("sleeping", title="dogs")}
    every = _keys(_query(client, texts, **arguments))
    assert len(every) == len(VECTORS)
    for top_k in range(1, len(every)):
        assert _keys(_query(client, texts, **arguments, topK=top_k)) == every[:top_k]


def test_scores_without_texts(client: Any, texts: Address) -> None:
    """ReturnScores adds nothing to a search by vector alone."""
    answer = _query(client, texts, queryVector={"float32": [0, 0]}, returnScores=True, topK=1)
    assert answer["vectors"] == [{"key": "cat"}]


@pytest.mark.parametrize("vector", [{}, {"queryVector": {"float32": [0, 0]}}], ids=["text", "hybrid"])
def test_filter_and_metadata(client: Any, texts: Address, vector: dict[str, Any]) -> None:
    """The filter selects first, and metadata comes whole."""
    found = _query(client, texts, "cat", **vector, filter={"color": "blue"}, returnMetadata=True, topK=1)["vectors"]
    assert found == [{"key": "dog", "metadata": VECTORS[1][2]}]


def test_filter_selects_before_anything_is_ranked(client: Any, texts: Address) -> None:
    """What the filter refuses takes no place in any ranking."""
    red = {"color": "red"}
    assert _keys(_query(client, texts, "sleeping fish", filter=red, topK=1)) == ["cat"]
    answer = _query(client, texts, "fish", filter=red, queryVector={"float32": [0, 0]}, returnScores=True)["vectors"]
    fused = {each["key"]: each["scores"]["fused"] for each in answer}
    assert fused == pytest.approx({"fish": 1 / 62 + 1 / 61, "cat": 1 / 61, "number": 1 / 63})


def test_filter_on_a_searchable_key(client: Any, texts: Address) -> None:
    """A searchable key that is filterable may be both; a non-filterable one stays so."""
    assert _keys(_query(client, texts, "fish", filter={"title": {"$exists": False}})) == ["lists"]
    assert "non-filterable" in _refused(_query, client=client, index=texts, text="cat", filter={"text": "x"})[1]


def test_writes_are_seen_at_once(client: Any, texts: Address) -> None:
    """Overwritten and deleted vectors are found by what they hold now."""
    client.put_vectors(**texts, vectors=[{"key": "dog", "data": {"float32": [1, 0]}, "metadata": {"text": "a bird"}}])
    client.delete_vectors(**texts, keys=["lists"])
    assert _keys(_query(client, texts, "dog")) == []
    assert _keys(_query(client, texts, "birds")) == ["dog"]
    client.put_vectors(**texts, vectors=[{"key": "dog", "data": {"float32": [1, 0]}}])
    assert _keys(_query(client, texts, "birds")) == []


def test_indexes_do_not_mix(client: Any, texts: Address) -> None:
    """What other indexes hold finds nothing here and changes no score."""
    before = _query(client, texts, "cat", returnScores=True)["vectors"]
    configuration = {"textSearchConfigurations": [{"metadataKey": "text", "language": "en"}]}
    other = _create(client, texts["vectorBucketName"], "other", metadataConfiguration=configuration)
    _put(client, other)
    assert _query(client, texts, "cat", returnScores=True)["vectors"] == before
    client.delete_index(**other)
    assert _query(client, texts, "cat", returnScores=True)["vectors"] == before
    again = _create(client, texts["vectorBucketName"], "other", metadataConfiguration=configuration)
    assert _keys(_query(client, again, "cat")) == []


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({}, "Must specify queryVector, queryTexts, or both"),
        ({"queryTexts": []}, "'/queryTexts' failed to satisfy constraint: Member must have length between 1 and 10"),
        ({"queryTexts": [{"text": "a", "metadataKey": f"k{n}"} for n in range(11)]}, "between 1 and 10"),
        ({"queryTexts": [{"text": "", "metadataKey": "text"}]}, "'/queryTexts/0/text' failed to satisfy"),
        ({"queryTexts": [{"text": "x" * 1025, "metadataKey": "text"}]}, "between 1 and 1024"),
        ({"queryTexts": [{"metadataKey": "text"}]}, "'/queryTexts/0/text' failed to satisfy"),
        ({"queryTexts": [{"text": "a"}]}, "'/queryTexts/0/metadataKey' failed to satisfy"),
        ({"queryTexts": [{"text": "a", "metadataKey": "text"}] * 2}, "must target a distinct metadata key"),
        ({"queryTexts": [{"text": "a", "metadataKey": "color"}]}, "'color' is not configured for text search"),
        (
            {"queryTexts": [{"text": "a", "metadataKey": "text"}], "queryVector": {"float32": [1]}},
            "Query vector contains",
        ),
        ({"queryTexts": [{"text": "a", "metadataKey": "text"}], "queryMode": "CLASSIC"}, "CLASSIC query mode"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refused_queries(client: Any, texts: Address, change: dict[str, Any], part: str) -> None:
    """What breaks a rule is refused."""
    code, message = _refused(client.query_vectors, **texts, topK=1, **change)
    assert code == "ValidationException"
    assert part in message


@pytest.fixture
def many(client: Any, texts: Address) -> Address:
    """Give the index with 250 more vectors, whose texts grow longer and so match less."""
    vectors = [
        {
            "key": f"m{number:03}",
            "data": {"float32": [number, 9]},
            "metadata": {"text": f"whale {'filler ' * number}", "n": number},
        }
        for number in range(250)
    ]
    client.put_vectors(**texts, vectors=vectors)
    return texts


def test_pages(client: Any, many: Address) -> None:
    """A long answer comes in pages; together they are the ranking."""
    pages = list(client.get_paginator("query_vectors").paginate(**many, topK=230, queryTexts=_texts("whales")))
    assert [len(page["vectors"]) for page in pages] == [100, 100, 30]
    assert [each["key"] for page in pages for each in page["vectors"]] == [f"m{number:03}" for number in range(230)]


def test_hybrid_pages_are_a_snapshot(client: Any, many: Address) -> None:
    """What is written between two pages does not show; scores come on every page."""
    arguments: dict[str, Any] = {"queryTexts": _texts("whale"), "queryVector": {"float32": [0, 9]}}
    arguments |= {"filter": {"n": {"$gte": 0}}, "topK": 200, "returnScores": True}
    first = client.query_vectors(**many, **arguments)
    client.delete_vectors(**many, keys=["m150"])
    second = client.query_vectors(**many, **arguments, nextToken=first["nextToken"])
    assert _keys(first) + _keys(second) == [f"m{number:03}" for number in range(200)]
    assert all(each["scores"]["fused"] > 0 for each in second["vectors"])


def test_token_is_bound_to_the_texts(client: Any, many: Address) -> None:
    """A token is good with the same texts, keys and scores only."""
    arguments = {"queryTexts": _texts("whale"), "topK": 200}
    token = client.query_vectors(**many, **arguments)["nextToken"]
    for change in (
        {"queryTexts": _texts("whales")},
        {"queryTexts": _texts("", title="whale")},
        {"queryTexts": _texts("whale", title="whale")},
        {"queryVector": {"float32": [0, 9]}},
        {"returnScores": True},
    ):
        code, message = _refused(client.query_vectors, **many, **arguments | change, nextToken=token)
        assert code == "ValidationException"
        assert "nextToken is invalid" in message
    assert len(client.query_vectors(**many, **arguments, nextToken=token)["vectors"]) == 100
