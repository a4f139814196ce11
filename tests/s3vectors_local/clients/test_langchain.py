"""LangChain's store over S3 Vectors (langchain-aws)."""

from typing import Any

import pytest

langchain_aws = pytest.importorskip("langchain_aws", reason="no langchain-aws: `make clients` installs it")
documents = pytest.importorskip("langchain_core.documents")

ALIEN = documents.Document("A crew meets something in space.", id="alien", metadata={"year": 1979, "genre": "horror"})
UP = documents.Document("A house flies away.", id="up", metadata={"year": 2009, "genre": "family"})


class Letters:
    """Embeds a text as how often it has each letter."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return a vector a text."""
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """Return 26 counts."""
        return [float(text.lower().count(letter)) for letter in "abcdefghijklmnopqrstuvwxyz"]


@pytest.fixture
def store(bucket: str) -> Any:
    """Give a store with two documents; its index is made when they are added."""
    made = langchain_aws.AmazonS3Vectors(
        vector_bucket_name=bucket,
        index_name="films",
        embedding=Letters(),
        non_filterable_metadata_keys=["_page_content"],
    )
    assert made.add_documents([ALIEN, UP]) == ["alien", "up"]
    return made


def test_it_finds_documents(store: Any) -> None:
    """Text and metadata come back, near ones first, with their distance, those that a filter selects."""
    assert store.similarity_search("A house flies away!", k=1) == [UP]
    [(found, distance)] = store.similarity_search_with_score("flies", filter={"year": {"$lt": 2000}})
    assert (found, 0 < distance < 1) == (ALIEN, True)
    retriever = store.as_retriever(search_kwargs={"k": 1, "filter": {"$or": [{"genre": "horror"}, {"year": 1}]}})
    assert retriever.invoke("A house") == [ALIEN]


def test_it_gets_and_deletes_documents(store: Any, plain: Any, bucket: str) -> None:
    """By id, in the order asked for; without ids the index goes."""
    assert store.get_by_ids(["up", "alien"]) == [UP, ALIEN]
    store.delete(["up"])
    assert store.similarity_search("A house flies away.", k=5) == [ALIEN]
    store.delete()
    assert plain.list_indexes(vectorBucketName=bucket)["indexes"] == []


def test_it_writes_by_batches(store: Any) -> None:
    """More than a request takes; every document can be read again."""
    ids = store.add_texts([f"text {number}" for number in range(1, 502)], batch_size=500)
    assert len(store.get_by_ids(ids)) == 501
