"""A retriever for LlamaIndex: `pip install nestor[llamaindex]`."""

import asyncio

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import NodeRelationship, NodeWithScore, QueryBundle, RelatedNodeInfo, TextNode

from nestor.domain import FULL_DIMENSION
from nestor.moments import Moment
from nestor.opened import OpenLibrary, Where

_FOR_THE_MODEL = {"file", "place", "collection", "tags"}
"""Of a node's metadata, what a prompt shows beside its text."""


class NestorRetriever(BaseRetriever):  # type: ignore[misc]  # no types where llama-index-core is not installed
    """Gives the moments nearest in meaning to a question as nodes with their similarity, best first.

    A node's id is the segment's key, its source the asset. Its metadata are as LangChain's documents have them; a
    prompt shows file, place, collection and tags of them. Raises what OpenLibrary.search raises.
    """

    def __init__(
        self,
        library: OpenLibrary,
        *,
        dimension: int = FULL_DIMENSION,
        top_k: int = 10,
        strategy: str | None = None,
        where: Where | None = None,
    ) -> None:
        """Search this library, open for as long as the retriever is used."""
        super().__init__()
        self._library = library
        self._dimension, self._top_k = dimension, top_k
        self._strategy, self._where = strategy, where

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        found = self._library.search(
            query_bundle.query_str,
            dimension=self._dimension,
            top_k=self._top_k,
            strategy=self._strategy,
            where=self._where,
        )
        return [NodeWithScore(node=_node(each), score=each.similarity) for each in found]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return await asyncio.to_thread(self._retrieve, query_bundle)


def _node(moment: Moment) -> TextNode:
    fields = moment.fields()
    hidden = [name for name in fields if name not in _FOR_THE_MODEL]
    return TextNode(
        id_=moment.key,
        text=moment.text,
        metadata=fields,
        excluded_llm_metadata_keys=hidden,
        excluded_embed_metadata_keys=hidden,
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=moment.object_id)},
    )
