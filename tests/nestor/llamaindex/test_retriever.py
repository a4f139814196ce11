"""The retriever in LlamaIndex itself; `make clients` has it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nestor import open_library
from nestor.errors import InvalidInput
from nestor.opened import OpenLibrary

schema = pytest.importorskip("llama_index.core.schema", reason="no llama-index-core: `make clients` installs it")

from nestor.llamaindex import NestorRetriever  # noqa: E402 - only where LlamaIndex is


@pytest.fixture
def library(tmp_path: Path, digest_embedder: Any) -> Iterator[OpenLibrary]:
    """Return a library of two texts."""
    for name in ("apes", "stars"):
        (tmp_path / f"{name}.txt").write_text(f"All about {name}.")
    with open_library(tmp_path / "home", embedder=digest_embedder) as opened:
        opened.ingest([tmp_path / "apes.txt", tmp_path / "stars.txt"])
        yield opened


def test_nodes_say_where_they_are_from(library: OpenLibrary) -> None:
    """Text, key, score, file; the asset is the source, and a prompt shows no more than names the file."""
    [best, _] = NestorRetriever(library, dimension=1024).retrieve("All about apes.")
    key = library.search("All about apes.")[0].key
    assert (best.node.node_id, best.node.text, best.node.metadata["file"]) == (key, "All about apes.", "apes.txt")
    assert best.score == pytest.approx(1, abs=1e-5)
    assert best.node.ref_doc_id == key.partition("_segment_")[0]
    assert best.node.get_content(schema.MetadataMode.LLM) == "file: apes.txt\n\nAll about apes."


def test_it_works_within_an_event_loop(library: OpenLibrary) -> None:
    """`aretrieve` leaves the loop free: two questions at the same time."""

    async def ask() -> list[Any]:
        retriever = NestorRetriever(library, top_k=1)
        return await asyncio.gather(*(retriever.aretrieve(f"All about {name}.") for name in ("apes", "stars")))

    assert [[each.node.metadata["file"] for each in found] for found in asyncio.run(ask())] == [
        ["apes.txt"],
        ["stars.txt"],
    ]


def test_it_narrows_and_raises(library: OpenLibrary) -> None:
    """As the library does: a condition holds, an error is never an empty list."""
    retriever = NestorRetriever(library, where="file_name=stars.txt", strategy="hierarchical")
    assert [each.node.text for each in retriever.retrieve("All about apes.")] == ["All about stars."]
    with pytest.raises(InvalidInput, match="top_k is 0"):
        NestorRetriever(library, top_k=0).retrieve("apes")
