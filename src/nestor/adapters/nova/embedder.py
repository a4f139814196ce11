"""Segments and questions to embeddings by synchronous calls of Amazon Nova."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
import orjson
from botocore.exceptions import BotoCoreError, ClientError

from nestor.adapters.nova import requests
from nestor.adapters.nova.errors import ContentRefused, translated
from nestor.adapters.nova.pace import Pace
from nestor.adapters.nova.requests import MODEL_ID, Body, Detail, Purpose
from nestor.adapters.nova.responses import Answered, embedding_of
from nestor.domain import FULL_DIMENSION, Embedding, Modality, Segment
from nestor.errors import EmbeddingFailed, InvalidInput, SegmentsRefused

ASKED_SEGMENTS: Final = 16
"""Segments of a file that asks, evenly chosen, of which the question is made: each one is a call."""

_LOG = logging.getLogger("nestor.nova")
_QUESTIONS: Final = {
    Modality.TEXT: Purpose.TEXT_RETRIEVAL,
    Modality.DOCUMENT: Purpose.DOCUMENT_RETRIEVAL,
    Modality.IMAGE: Purpose.IMAGE_RETRIEVAL,
    Modality.AUDIO: Purpose.AUDIO_RETRIEVAL,
    Modality.VIDEO: Purpose.VIDEO_RETRIEVAL,
}


class NovaEmbedder:
    """Implements nestor.ports.Embedder with a boto3 `bedrock-runtime` client. Threads may share it.

    A segment is embedded by what it shows or plays (its clip, its page, its picture) and by its text only where it has
    none of these: the model takes one of them at a time. Retrying is `pace`'s business; set the client's own off.
    """

    def __init__(
        self,
        client: Any,
        *,
        pace: Pace | None = None,
        model_id: str = MODEL_ID,
        warn: Callable[[str], None] = _LOG.warning,
    ) -> None:
        """Speak through this client; `warn` is told, in words, of text that the model did not read to its end."""
        self._client = client
        self._pace = pace or Pace()
        self._model_id = model_id
        self._warn = warn

    @property
    def id(self) -> str:
        """The model's id: another model is another space."""
        return requests.embedder_id(self._model_id)

    def embed_segments(self, segments: Sequence[Segment]) -> Embedding:
        """Return one unit row a segment, shape (n, 3072), in their order.

        Raises SegmentsRefused when the model will not embed some of them, EmbedderUnavailable when it is not there or
        throttles beyond patience, EmbeddingFailed.
        """
        return self._embedded(segments, Purpose.GENERIC_INDEX)

    def embed_text_query(self, text: str, *, modality: Modality | None = None) -> Embedding:
        """Return the unit embedding of a question, shape (3072,), for an index that holds only that modality, or any.

        Raises InvalidInput when there is no text, EmbeddingFailed.
        """
        if not text.strip():
            raise InvalidInput("The question is empty: give some text to search for.")
        purpose = Purpose.GENERIC_RETRIEVAL if modality is None else _QUESTIONS[modality]
        return self._answer(requests.text(self._cut(text, "The question"), purpose=purpose), "The question").embedding

    def embed_segments_query(self, segments: Sequence[Segment]) -> Embedding:
        """Return the unit embedding, shape (3072,), of a file that asks: the middle of at most 16 of its segments."""
        if not segments:
            raise InvalidInput("There is nothing to search with: the file gave no segments.")
        count = min(len(segments), ASKED_SEGMENTS)
        chosen = [segments[index * len(segments) // count] for index in range(count)]
        middle = self._embedded(chosen, Purpose.GENERIC_RETRIEVAL).mean(axis=0)
        length = np.linalg.norm(middle)
        if not length:
            raise EmbeddingFailed("The segments of the file point in opposite directions: search with a part of it.")
        unit: Embedding = (middle / length).astype(np.float32)
        return unit

    def _embedded(self, segments: Sequence[Segment], purpose: Purpose) -> Embedding:
        rows = np.zeros((len(segments), FULL_DIMENSION), dtype=np.float32)
        reasons: dict[int, str] = {}
        threads = ThreadPoolExecutor(self._pace.concurrency, thread_name_prefix="nestor-nova")
        try:
            results = threads.map(lambda segment: self._row_or_reason(segment, purpose), segments)
            for position, result in enumerate(results):
                if isinstance(result, str):
                    reasons[position] = result
                else:
                    rows[position] = result
        finally:
            threads.shutdown(cancel_futures=True)
        if reasons:
            raise SegmentsRefused(
                f"{len(reasons)} of {len(segments)} segments cannot be embedded; the first: {min(reasons.items())[1]}",
                reasons=reasons,
                embeddings=rows,
            )
        return rows

    def _row_or_reason(self, segment: Segment, purpose: Purpose) -> "Embedding | str":
        where = f"Segment {segment.index}"
        try:
            return self._answer(self._body(segment, purpose, where), where).embedding
        except ContentRefused as error:
            return f"{error.reason}: {error}"
        except InvalidInput as error:
            return f"INVALID_CONTENT: {error}"

    def _body(self, segment: Segment, purpose: Purpose, where: str) -> Body:
        if segment.clip is not None and segment.modality is Modality.VIDEO:
            return requests.video(segment.clip, format="mp4", purpose=purpose)
        if segment.clip is not None and segment.modality is Modality.AUDIO:
            kind = "wav" if segment.clip.startswith(b"RIFF") else "mp3"
            return requests.audio(segment.clip, format=kind, purpose=purpose)
        if segment.image is not None and segment.modality is Modality.DOCUMENT:
            return requests.image(segment.image, detail=Detail.DOCUMENT_IMAGE, purpose=purpose)
        if segment.image is not None and segment.modality is Modality.IMAGE:
            return requests.image(segment.image, purpose=purpose)
        return requests.text(self._cut(segment.text, where), purpose=purpose)

    def _cut(self, text: str, where: str) -> str:
        if len(text) > requests.INLINE_CHARACTERS:
            self._warn(f"{where} has {len(text):,} characters; only the first {requests.INLINE_CHARACTERS:,} count.")
        return text[: requests.INLINE_CHARACTERS]

    def _answer(self, body: Body, where: str) -> Answered:
        document = orjson.dumps(body)
        answered = embedding_of(self._pace(lambda: self._invoke(document)))
        if answered.truncated is not None:
            self._warn(f"{where} is too long for the model: only its first {answered.truncated:,} characters count.")
        return answered

    def _invoke(self, document: bytes) -> bytes:
        try:
            answer = self._client.invoke_model(
                modelId=self._model_id, body=document, contentType="application/json", accept="application/json"
            )
            content: bytes = answer["body"].read()
        except (BotoCoreError, ClientError) as error:
            raise translated(error, model_id=self._model_id) from error
        return content
