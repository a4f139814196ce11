"""LlamaIndex's store over S3 Vectors (llama-index-vector-stores-s3)."""

from typing import Any

import pytest

s3 = pytest.importorskip(
    "llama_index.vector_stores.s3", reason="no llama-index-vector-stores-s3: `make clients` installs it"
)
core = pytest.importorskip("llama_index.core")
schema = pytest.importorskip("llama_index.core.schema")
stores = pytest.importorskip("llama_index.core.vector_stores")
OPERATOR = stores.FilterOperator


@pytest.fixture
def store(bucket: str) -> Any:
    """Give a store with two nodes of two sources."""
    made = s3.S3VectorStore.create_index_from_bucket(bucket_name_or_arn=bucket, index_name="films", dimension=2)
    nodes = [
        _node("alien", "A crew meets something in space.", [1, 0.1], year=1979, genre="horror"),
        _node("up", "A house flies away.", [0.1, 1], year=2009, genre="family"),
    ]
    assert made.add(nodes) == ["alien", "up"]
    return made


def test_it_finds_nodes(store: Any) -> None:
    """Texts and metadata come back, near ones first, with their similarity."""
    found = _query(store)
    assert found.ids == ["alien", "up"]
    assert found.similarities == pytest.approx([0.99503, 0.09950], abs=1e-4)
    assert [node.text for node in found.nodes] == ["A crew meets something in space.", "A house flies away."]
    assert found.nodes[0].metadata == {"year": 1979, "genre": "horror"}


@pytest.mark.parametrize(
    ("key", "operator", "value", "ids"),
    [
        ("year", OPERATOR.LT, 2000, ["alien"]),
        ("genre", OPERATOR.EQ, "family", ["up"]),
        ("genre", OPERATOR.NE, "family", ["alien"]),
        ("genre", OPERATOR.IN, ["family", "crime"], ["up"]),
        ("genre", OPERATOR.NIN, ["family", "crime"], ["alien"]),
        ("studio", OPERATOR.IS_EMPTY, None, ["alien", "up"]),
    ],
    ids=str,
)
def test_its_operators_select(store: Any, key: str, operator: Any, value: Any, ids: list[str]) -> None:
    """Each operator that it translates selects what it says."""
    assert _query(store, stores.MetadataFilter(key=key, operator=operator, value=value)).ids == ids


def test_its_conditions_select(store: Any) -> None:
    """Several filters are joined by and, or by or."""
    recent = stores.MetadataFilter(key="year", operator=OPERATOR.GTE, value=2000)
    horror = stores.MetadataFilter(key="genre", operator=OPERATOR.EQ, value="horror")
    assert _query(store, recent, horror).ids == []
    assert _query(store, recent, horror, condition="or").ids == ["alien", "up"]


def test_it_gets_and_deletes_nodes(store: Any, plain: Any, bucket: str) -> None:
    """By id, and by the source that they are from; `clear` deletes the index."""
    assert [node.text for node in store.get_nodes(["up"])] == ["A house flies away."]
    store.delete("source of alien")
    assert _query(store).ids == ["up"]
    store.delete_nodes(["up"])
    assert _query(store).ids == []
    store.clear()
    assert plain.list_indexes(vectorBucketName=bucket)["indexes"] == []


def test_documents_go_through_an_index(bucket: str) -> None:
    """VectorStoreIndex splits, embeds, stores and retrieves."""
    store = s3.S3VectorStore.create_index_from_bucket(bucket_name_or_arn=bucket, index_name="pages", dimension=8)
    index = core.VectorStoreIndex.from_documents(
        [core.Document(text="A house flies away.", metadata={"year": 2009})],
        storage_context=core.StorageContext.from_defaults(vector_store=store),
        embed_model=core.MockEmbedding(embed_dim=8),
    )
    [found] = index.as_retriever(similarity_top_k=3).retrieve("anything")
    assert (found.text, found.metadata) == ("A house flies away.", {"year": 2009})


def _node(key: str, text: str, embedding: list[float], **metadata: Any) -> Any:
    node = schema.TextNode(id_=key, text=text, embedding=embedding, metadata=metadata)
    node.relationships[schema.NodeRelationship.SOURCE] = schema.RelatedNodeInfo(node_id=f"source of {key}")
    return node


def _query(store: Any, *filters: Any, condition: str = "and") -> Any:
    chosen = stores.MetadataFilters(filters=list(filters), condition=condition) if filters else None
    return store.query(stores.VectorStoreQuery(query_embedding=[1.0, 0.0], similarity_top_k=5, filters=chosen))
