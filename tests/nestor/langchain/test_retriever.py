"""The retriever in LangChain itself."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nestor import open_library
from nestor.errors import InvalidInput
from nestor.opened import OpenLibrary

runnables = pytest.importorskip("langchain_core.runnables", reason="no langchain-core: it is in the group frameworks")

from nestor.langchain import NestorRetriever  # noqa: E402 - only where LangChain is


@pytest.fixture
def library(tmp_path: Path, digest_embedder: Any) -> Iterator[OpenLibrary]:
    """Return a library of two texts."""
    for name in ("apes", "stars"):
        (tmp_path / f"{name}.txt").write_text(f"All about {name}.")
    with open_library(tmp_path / "home", embedder=digest_embedder) as opened:
        opened.ingest([tmp_path / "apes.txt", tmp_path / "stars.txt"], tags=["new"])
        yield opened


def test_documents_say_where_they_are_from(library: OpenLibrary, tmp_path: Path) -> None:
    """Text, key, file, similarity; what does not apply is not there."""
    [best, _] = NestorRetriever(library=library, dimension=1024).invoke("All about apes.")
    assert (best.page_content, best.metadata["file"], best.metadata["tags"]) == ("All about apes.", "apes.txt", ["new"])
    assert best.id == best.metadata["key"] == library.search("All about apes.")[0].key
    assert best.metadata["uri"] == (tmp_path / "apes.txt").as_uri()
    assert best.metadata["similarity"] == pytest.approx(1, abs=1e-5)
    assert "page" not in best.metadata


def test_it_works_within_an_event_loop(library: OpenLibrary) -> None:
    """`ainvoke` and a batch of questions, at the same time."""

    async def ask() -> list[Any]:
        retriever = NestorRetriever(library=library, top_k=1)
        return await retriever.abatch(["All about apes.", "All about stars."])

    assert [[each.metadata["file"] for each in found] for found in asyncio.run(ask())] == [["apes.txt"], ["stars.txt"]]


def test_it_is_a_part_of_a_chain(library: OpenLibrary) -> None:
    """As LangChain composes: what comes out goes into the next."""
    retriever = NestorRetriever(library=library, top_k=1, where="file_name=stars.txt", strategy="hierarchical")
    chain = retriever | runnables.RunnableLambda(lambda found: [each.page_content for each in found])
    assert chain.invoke("All about apes.") == ["All about stars."]


def test_an_error_is_raised(library: OpenLibrary) -> None:
    """Never an empty list instead."""
    with pytest.raises(InvalidInput, match="top_k is 0"):
        NestorRetriever(library=library, top_k=0).invoke("apes")
