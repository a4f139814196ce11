"""mem0's store over S3 Vectors (mem0ai), beneath its Memory."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest


class Letters:
    """Embeds a text as how often it has each letter; mem0 has no port for a model of one's own."""

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:
        """Return 26 counts."""
        return [float(text.lower().count(letter)) for letter in "abcdefghijklmnopqrstuvwxyz"]

    def embed_batch(self, texts: list[str], memory_action: str | None = None) -> list[list[float]]:
        """Return a vector a text."""
        return [self.embed(text) for text in texts]


@pytest.fixture
def memory(mem0: Any, tmp_path: Path) -> Any:
    """Give a Memory of three; its bucket and its index are made by itself."""
    store = {"vector_bucket_name": f"bucket-{uuid4()}", "collection_name": "mem0", "embedding_model_dims": 26}
    made = mem0.Memory.from_config(
        {"vector_store": {"provider": "s3_vectors", "config": store}, "history_db_path": str(tmp_path / "history.db")}
    )
    made.embedding_model = Letters()
    made.add("I like horror films", user_id="ann", infer=False, metadata={"topic": "films"})
    made.add("My cat is called Zazu", user_id="ann", infer=False)
    made.add("I like horror films, too", user_id="bob", infer=False)
    yield made
    made.close()


def test_it_finds_what_a_user_told(memory: Any) -> None:
    """Near ones first, with score and metadata, and nobody else's."""
    found = memory.search("horror films", filters={"user_id": "ann"})["results"]
    assert [each["memory"] for each in found] == ["I like horror films", "My cat is called Zazu"]
    assert (found[0]["metadata"], found[0]["score"] > 0.8) == ({"topic": "films"}, True)


def test_it_lists_changes_and_forgets(memory: Any) -> None:
    """An update overwrites text and vector; what is deleted is gone."""
    [told] = _all(memory, "bob")
    memory.update(told["id"], "My dog is called Rex")
    assert [each["memory"] for each in _all(memory, "bob")] == ["My dog is called Rex"]
    assert memory.search("a dog", filters={"user_id": "bob"})["results"][0]["memory"] == "My dog is called Rex"
    memory.delete(told["id"])
    assert (memory.get(told["id"]), _all(memory, "bob")) == (None, [])
    memory.delete_all(user_id="ann")
    assert _all(memory, "ann") == []


def test_it_starts_afresh(memory: Any) -> None:
    """A reset deletes the index and makes it again."""
    memory.reset()
    assert _all(memory, "ann") == []


def _all(memory: Any, user: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = memory.get_all(filters={"user_id": user})["results"]
    return found
