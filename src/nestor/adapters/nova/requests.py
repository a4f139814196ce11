"""What is asked of Amazon Nova Multimodal Embeddings: the bodies of its calls; pure."""

import base64
import hashlib
from enum import StrEnum
from typing import Any, Final, TypeAlias

from nestor.domain import FULL_DIMENSION, Modality
from nestor.errors import InvalidInput
from nestor.settings import NOVA_MODEL_ID

Body: TypeAlias = dict[str, Any]

MODEL_ID: Final = NOVA_MODEL_ID
INLINE_CHARACTERS: Final = 8_192
"""Of a text that is sent within the call."""
INLINE_BYTES: Final = 18_000_000
"""Of a medium that is sent within the call: in Base64, a third more, it stays below the 25,000,000 of the body."""
MEDIUM_SECONDS: Final = 30
"""Of sound or video that one embedding can hold."""
SEGMENT_CHARACTERS: Final = (800, 50_000)
TOKEN_BYTES: Final = 64
EMBEDDER_ID: Final = f"nova/{MODEL_ID}"

FORMATS: Final[dict[Modality, frozenset[str]]] = {
    Modality.IMAGE: frozenset({"png", "jpeg", "gif", "webp"}),
    Modality.AUDIO: frozenset({"mp3", "wav", "ogg"}),
    Modality.VIDEO: frozenset({"mp4", "mov", "mkv", "webm", "flv", "mpeg", "mpg", "wmv", "3gp"}),
}

_FORMAT_NAMES: Final = {
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/ogg": "ogg",
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/x-matroska": "mkv",
    "video/webm": "webm",
    "video/x-flv": "flv",
    "video/mpeg": "mpeg",
    "video/x-ms-wmv": "wmv",
    "video/3gpp": "3gp",
}


class Purpose(StrEnum):
    """What an embedding is for: GENERIC_INDEX to be stored, the others to ask a repository of that content."""

    GENERIC_INDEX = "GENERIC_INDEX"
    GENERIC_RETRIEVAL = "GENERIC_RETRIEVAL"
    TEXT_RETRIEVAL = "TEXT_RETRIEVAL"
    IMAGE_RETRIEVAL = "IMAGE_RETRIEVAL"
    DOCUMENT_RETRIEVAL = "DOCUMENT_RETRIEVAL"
    VIDEO_RETRIEVAL = "VIDEO_RETRIEVAL"
    AUDIO_RETRIEVAL = "AUDIO_RETRIEVAL"


class Detail(StrEnum):
    """How closely an image is looked at; DOCUMENT_IMAGE for pages, whose questions are DOCUMENT_RETRIEVAL."""

    STANDARD_IMAGE = "STANDARD_IMAGE"
    DOCUMENT_IMAGE = "DOCUMENT_IMAGE"


def embedder_id(model_id: str = MODEL_ID) -> str:
    """Return the id of the space that the model fills, as an index remembers it."""
    return f"nova/{model_id}"


def format_of(content_type: str) -> str | None:
    """Return the model's word for a MIME type, such as `mov` for video/quicktime; None when it cannot read that."""
    return _FORMAT_NAMES.get(content_type)


def text(
    value: str,
    *,
    purpose: Purpose = Purpose.GENERIC_INDEX,
    truncation: str = "END",
    dimension: int = FULL_DIMENSION,
) -> Body:
    """Return the InvokeModel body for a text: what exceeds the model's tokens is cut at that end (NONE: refused).

    Raises InvalidInput for a blank text and for one of more than 8,192 characters.
    """
    if not value.strip():
        raise InvalidInput("There is no text to embed.")
    if len(value) > INLINE_CHARACTERS:
        raise InvalidInput(f"A text of {len(value):,} characters is too long: cut it to {INLINE_CHARACTERS:,}.")
    return _single(purpose, dimension, text={"value": value, "truncationMode": truncation})


def image(
    source: bytes | str,
    *,
    format: str = "jpeg",  # noqa: A002  # the model's word
    detail: Detail = Detail.STANDARD_IMAGE,
    purpose: Purpose = Purpose.GENERIC_INDEX,
    dimension: int = FULL_DIMENSION,
) -> Body:
    """Return the InvokeModel body for a picture, given as bytes or as `s3://bucket/key`.

    Raises InvalidInput for a format that the model does not read and for more bytes than a call holds.
    """
    _check_format(Modality.IMAGE, format)
    return _single(purpose, dimension, image={"detailLevel": detail.value, "format": format, "source": _source(source)})


def audio(
    source: bytes | str,
    *,
    format: str = "mp3",  # noqa: A002  # the model's word
    purpose: Purpose = Purpose.GENERIC_INDEX,
    dimension: int = FULL_DIMENSION,
) -> Body:
    """Return the InvokeModel body for at most 30 seconds of sound. Raises InvalidInput as `image` does."""
    _check_format(Modality.AUDIO, format)
    return _single(purpose, dimension, audio={"format": format, "source": _source(source)})


def video(
    source: bytes | str,
    *,
    format: str = "mp4",  # noqa: A002  # the model's word
    purpose: Purpose = Purpose.GENERIC_INDEX,
    dimension: int = FULL_DIMENSION,
) -> Body:
    """Return the InvokeModel body for at most 30 seconds of video, one embedding for picture and sound together.

    Raises InvalidInput as `image` does.
    """
    _check_format(Modality.VIDEO, format)
    medium = {"format": format, "embeddingMode": "AUDIO_VIDEO_COMBINED", "source": _source(source)}
    return _single(purpose, dimension, video=medium)


def segmented(
    modality: Modality,
    uri: str,
    *,
    format: str = "",  # noqa: A002  # the model's word
    seconds: float = 5,
    characters: int = 32_000,
) -> Body:
    """Return the `modelInput` of StartAsyncInvoke for a whole object in S3, cut by the model into segments.

    `format` is needed for all but text, `seconds` (1 to 30, whole) counts for sound and video, `characters` (800 to
    50,000) for text; an image is one segment. Raises InvalidInput, also for a DOCUMENT, which the model cannot read.
    """
    if modality is Modality.TEXT:
        medium = {"truncationMode": "END", "source": _source(uri), "segmentationConfig": _by_characters(characters)}
    else:
        _check_format(modality, format)
        medium = {"format": format, "source": _source(uri)}
        if modality is not Modality.IMAGE:
            medium["segmentationConfig"] = _by_seconds(seconds)
    if modality is Modality.VIDEO:
        medium["embeddingMode"] = "AUDIO_VIDEO_COMBINED"
    return {
        "taskType": "SEGMENTED_EMBEDDING",
        "segmentedEmbeddingParams": {
            "embeddingPurpose": Purpose.GENERIC_INDEX.value,
            "embeddingDimension": FULL_DIMENSION,
            modality.value: medium,
        },
    }


def client_token(object_id: str, run: str) -> str:
    """Return the `clientRequestToken` of that run: with it, starting twice gives one job."""
    return hashlib.sha256(f"{object_id}/{run}".encode()).hexdigest()


def _single(purpose: Purpose, dimension: int, **medium: Body) -> Body:
    params: Body = {"embeddingPurpose": purpose.value, **medium}
    if dimension != FULL_DIMENSION:  # what the model gives when nothing is said
        params["embeddingDimension"] = dimension
    return {"taskType": "SINGLE_EMBEDDING", "singleEmbeddingParams": params}


def _source(source: bytes | str) -> Body:
    if isinstance(source, str):
        if not source.startswith("s3://"):
            raise InvalidInput(f"{source!r} is no address of the form s3://bucket/key.")
        return {"s3Location": {"uri": source}}
    if not 0 < len(source) <= INLINE_BYTES:
        raise InvalidInput(
            f"A medium of {len(source):,} bytes cannot be sent within a call: 1 to {INLINE_BYTES:,} can. "
            "Make it smaller, or give its address in S3."
        )
    return {"bytes": base64.b64encode(source).decode()}


def _check_format(modality: Modality, given: str) -> None:
    formats = FORMATS.get(modality)
    if formats is None:
        raise InvalidInput(f"The model reads no {modality}: make pictures of its pages, or take its text.")
    if given not in formats:
        raise InvalidInput(f"The model reads no {modality} of format {given!r}, but {', '.join(sorted(formats))}.")


def _by_characters(characters: int) -> Body:
    low, high = SEGMENT_CHARACTERS
    if not low <= characters <= high:
        raise InvalidInput(f"A segment may have {low:,} to {high:,} characters, not {characters:,}.")
    return {"maxLengthChars": characters}


def _by_seconds(seconds: float) -> Body:
    if seconds != int(seconds) or not 1 <= seconds <= MEDIUM_SECONDS:
        raise InvalidInput(f"A segment may last 1 to {MEDIUM_SECONDS} whole seconds, not {seconds:g}.")
    return {"durationSeconds": int(seconds)}
