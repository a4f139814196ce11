"""A retriever for LangChain: `pip install nestor[langchain]`."""

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from nestor.domain import FULL_DIMENSION
from nestor.opened import OpenLibrary, Where


class NestorRetriever(BaseRetriever):
    """Gives the moments nearest in meaning to a question as documents, best first; `ainvoke` works in a thread.

    A document's id is the segment's key. Its metadata: file, uri, modality, similarity, and what applies of page,
    start_seconds, end_seconds, collection and tags; see Moment.fields. Raises what OpenLibrary.search raises.
    """

    library: OpenLibrary
    """Open for as long as the retriever is used."""
    dimension: int = FULL_DIMENSION
    top_k: int = 10
    strategy: str | None = None
    where: Where | None = None

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        del run_manager
        found = self.library.search(
            query, dimension=self.dimension, top_k=self.top_k, strategy=self.strategy, where=self.where
        )
        return [Document(page_content=each.text, id=each.key, metadata=each.fields()) for each in found]
