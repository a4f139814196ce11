"""What the stand-in's model accepts and answers, written from the public guide: see `bedrock`."""

import base64
import binascii
import functools
import hashlib
import io
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

MODEL_ID = "amazon.nova-2-multimodal-embeddings-v1:0"
SIZES = (256, 384, 1024, 3072)
RETRIEVALS = {f"{content}_RETRIEVAL" for content in ("GENERIC", "TEXT", "IMAGE", "DOCUMENT", "VIDEO", "AUDIO")}
PURPOSES = RETRIEVALS | {"GENERIC_INDEX", "CLASSIFICATION", "CLUSTERING"}
FORMATS = {
    "image": frozenset({"png", "jpeg", "gif", "webp"}),
    "audio": frozenset({"mp3", "wav", "ogg"}),
    "video": frozenset({"mp4", "mov", "mkv", "webm", "flv", "mpeg", "mpg", "wmv", "3gp"}),
}
BODY_BYTES = 25_000_000
TOKENS_CHARACTERS = 32_768
"""8,192 tokens at four characters each, about."""
SEGMENTS = {"text": 1_900, "audio": 1_434, "video": 1_434}
_ISO_MEDIA = (b"ftyp", 4)
_BEGINNINGS: dict[str, tuple[tuple[bytes, int], ...]] = {
    "png": ((b"\x89PNG", 0),),
    "jpeg": ((b"\xff\xd8", 0),),
    "gif": ((b"GIF8", 0),),
    "webp": ((b"WEBP", 8),),
    "mp3": ((b"ID3", 0), (b"\xff\xfb", 0), (b"\xff\xf3", 0), (b"\xff\xf2", 0)),
    "wav": ((b"WAVE", 8),),
    "ogg": ((b"OggS", 0),),
    "mp4": (_ISO_MEDIA,),
    "mov": (_ISO_MEDIA, (b"moov", 4)),
    "3gp": (_ISO_MEDIA,),
    "mkv": ((b"\x1aE\xdf\xa3", 0),),
    "webm": ((b"\x1aE\xdf\xa3", 0),),
}

Fetch = Callable[[str], bytes]
"""Gives the object at an S3 URI."""


class Fault(Exception):
    """An error answer of the service."""

    def __init__(self, code: str, message: str, *, status: int = 400) -> None:
        """Keep what goes on the wire."""
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


@dataclass(frozen=True)
class Piece:
    """One segment that the model cut."""

    embedding: NDArray[np.float32]
    metadata: Mapping[str, Any]


def embedding_for(content: str | bytes, dimension: int = 3072) -> NDArray[np.float32]:
    """Return the unit embedding of the content: texts that share words are near, any other two nearly orthogonal."""
    if isinstance(content, str):
        words = re.findall(r"\w+", content.lower()) or [content]
        row = np.sum([_drawn(word.encode()) for word in words], axis=0)[:dimension]
    else:
        row = _drawn(content)[:dimension]
    unit: NDArray[np.float32] = (row / np.linalg.norm(row)).astype(np.float32)
    return unit


@functools.lru_cache(maxsize=4096)
def _drawn(seed: bytes) -> NDArray[np.float64]:
    number = int.from_bytes(hashlib.sha256(seed).digest()[:8])
    return np.random.default_rng(number).normal(size=3072)


def clip_embedding(content: bytes, start: float, end: float) -> NDArray[np.float32]:
    """Return the embedding of some seconds of the sound or video with these bytes."""
    return embedding_for(hashlib.sha256(content).digest() + f" {start:.3f} {end:.3f}".encode())


def answer(body: Mapping[str, Any], fetch: Fetch) -> dict[str, Any]:
    """Return the answer to a SINGLE_EMBEDDING. Raises Fault."""
    modality, medium, size = _checked(body, "SINGLE_EMBEDDING", "singleEmbeddingParams")
    if modality == "text":
        text = _text(medium, fetch)
        cut = len(text) > TOKENS_CHARACTERS
        if cut and medium["truncationMode"] == "NONE":
            raise Fault("ValidationException", "The text exceeds the maximum number of tokens.")
        kept = text[-TOKENS_CHARACTERS:] if medium["truncationMode"] == "START" else text[:TOKENS_CHARACTERS]
        more = {"truncatedCharLength": TOKENS_CHARACTERS} if cut else {}
        return _answered("TEXT", embedding_for(kept, size), **more)
    content = _content(medium, fetch)
    _check_content(content, medium["format"])
    if modality != "image" and _seconds(content) > 30.1:
        raise Fault("ValidationException", f"The {modality} is longer than 30 seconds.")
    row = embedding_for(content, size)
    if modality != "video":
        return _answered(modality.upper(), row)
    if medium["embeddingMode"] == "AUDIO_VIDEO_COMBINED":
        return _answered("AUDIO_VIDEO_COMBINED", row)
    both = {"embeddings": [*_answered("AUDIO", embedding_for(content + b"a", size))["embeddings"]]}
    both["embeddings"] += _answered("VIDEO", row)["embeddings"]
    return both


def check_job(model_input: Mapping[str, Any]) -> str:
    """Return the `sourceFileUri` of a SEGMENTED_EMBEDDING that is in order. Raises Fault."""
    _, medium, _ = _checked(model_input, "SEGMENTED_EMBEDDING", "segmentedEmbeddingParams")
    source = medium["source"]
    if "s3Location" not in source:
        raise Fault("ValidationException", "Asynchronous invocation takes its input from S3 only.")
    return str(source["s3Location"]["uri"])


def segments(model_input: Mapping[str, Any], fetch: Fetch) -> tuple[str, str, list[Piece]]:
    """Return the embedding type, the name of the output file and the segments of a job. Raises Fault."""
    modality, medium, size = _checked(model_input, "SEGMENTED_EMBEDDING", "segmentedEmbeddingParams")
    content = fetch(medium["source"]["s3Location"]["uri"])
    if modality == "text":
        text = content.decode()
        pieces = [
            Piece(
                embedding_for(text[start:end], size),
                {"segmentStartCharPosition": start, "segmentEndCharPosition": end},
            )
            for start, end in _cut(text, medium["segmentationConfig"]["maxLengthChars"])
        ]
        kind, name = "TEXT", "embedding-text.jsonl"
    elif modality == "image":
        _check_content(content, medium["format"])
        pieces = [Piece(embedding_for(content, size), {})]
        kind, name = "IMAGE", "embedding-image.json"
    else:
        _check_content(content, medium["format"])
        pieces = list(_clips(content, medium["segmentationConfig"]["durationSeconds"]))
        combined = modality == "video" and medium["embeddingMode"] == "AUDIO_VIDEO_COMBINED"
        kind = "AUDIO_VIDEO_COMBINED" if combined else modality.upper()
        name = "embedding-audio-video.jsonl" if combined else f"embedding-{modality}.jsonl"
    if len(pieces) > SEGMENTS.get(modality, 1):
        raise Fault("ValidationException", f"The input gives more than {SEGMENTS[modality]} segments.")
    return kind, name, pieces


def _answered(kind: str, row: NDArray[np.float32], **more: Any) -> dict[str, Any]:
    return {"embeddings": [{"embeddingType": kind, "embedding": [float(number) for number in row], **more}]}


def _checked(body: Mapping[str, Any], task: str, params_name: str) -> tuple[str, Mapping[str, Any], int]:
    _only(body, "", {"schemaVersion", "taskType", params_name})
    if body.get("schemaVersion", "nova-multimodal-embed-v1") != "nova-multimodal-embed-v1":
        raise _malformed("schemaVersion", "nova-multimodal-embed-v1")
    if body.get("taskType") != task:
        raise _malformed("taskType", task)
    params = _object(body, params_name)
    _only(params, params_name, {"embeddingPurpose", "embeddingDimension", "text", "image", "audio", "video"})
    if params.get("embeddingPurpose") not in PURPOSES:
        raise _malformed("embeddingPurpose", "one of the purposes")
    size = params.get("embeddingDimension", 3072)
    if size not in SIZES:
        raise _malformed("embeddingDimension", f"one of {SIZES}")
    given = [name for name in ("text", "image", "audio", "video") if name in params]
    if len(given) != 1:
        raise _malformed(params_name, "exactly one of text, image, audio, video")
    medium = _object(params, given[0])
    _check_medium(given[0], medium, segmented=task == "SEGMENTED_EMBEDDING")
    return given[0], medium, size


def _check_medium(modality: str, medium: Mapping[str, Any], *, segmented: bool) -> None:
    members = {
        "text": {"truncationMode", "value", "source"},
        "image": {"format", "source", "detailLevel"},
        "audio": {"format", "source"},
        "video": {"format", "source", "embeddingMode"},
    }[modality]
    _only(medium, modality, members | ({"segmentationConfig"} if segmented and modality != "image" else set()))
    if modality == "text":
        if medium.get("truncationMode") not in {"START", "END", "NONE"}:
            raise _malformed("truncationMode", "START, END or NONE")
        if ("value" in medium) is ("source" in medium):
            raise _malformed("text", "either value or source")
    elif medium.get("format") not in FORMATS[modality]:
        raise _malformed(f"{modality}.format", f"one of {sorted(FORMATS[modality])}")
    if modality == "video" and medium.get("embeddingMode") not in {"AUDIO_VIDEO_COMBINED", "AUDIO_VIDEO_SEPARATE"}:
        raise _malformed("embeddingMode", "AUDIO_VIDEO_COMBINED or AUDIO_VIDEO_SEPARATE")
    if medium.get("detailLevel", "STANDARD_IMAGE") not in {"STANDARD_IMAGE", "DOCUMENT_IMAGE"}:
        raise _malformed("detailLevel", "STANDARD_IMAGE or DOCUMENT_IMAGE")
    if "value" not in medium:
        _check_source(_object(medium, "source"))
    if segmented and modality != "image":
        _check_segmentation(modality, _object(medium, "segmentationConfig"))


def _check_source(source: Mapping[str, Any]) -> None:
    _only(source, "source", {"bytes", "s3Location"})
    if len(source) != 1:
        raise _malformed("source", "either bytes or s3Location")
    if "s3Location" in source:
        location = _object(source, "s3Location")
        _only(location, "s3Location", {"uri", "bucketOwner"})
        if not str(location.get("uri", "")).startswith("s3://"):
            raise _malformed("uri", "s3://bucket/key")


def _check_segmentation(modality: str, config: Mapping[str, Any]) -> None:
    name, low, high = ("maxLengthChars", 800, 50_000) if modality == "text" else ("durationSeconds", 1, 30)
    _only(config, "segmentationConfig", {name})
    value = config.get(name)
    if type(value) is not int or not low <= value <= high:
        raise _malformed(name, f"an integer from {low} to {high}")


def _only(document: Mapping[str, Any], where: str, members: set[str]) -> None:
    if extra := set(document) - members:
        raise Fault(
            "ValidationException",
            f"Malformed input request: #/{where}: extraneous key [{min(extra)}] is not permitted, "
            "please reformat your input and try again.",
        )


def _object(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = document.get(name)
    if not isinstance(value, dict):
        raise _malformed(name, "an object")
    return value


def _malformed(where: str, wanted: str) -> Fault:
    return Fault("ValidationException", f"Malformed input request: #/{where}: must be {wanted}.")


def _text(medium: Mapping[str, Any], fetch: Fetch) -> str:
    if "value" not in medium:
        content = _content(medium, fetch)
        if len(content) > 1_000_000 or len(content.decode()) > 50_000:
            raise Fault("ValidationException", "The text at the S3 location is too long.")
        return content.decode()
    if not isinstance(medium["value"], str) or not 1 <= len(medium["value"]) <= 8_192:
        raise Fault("ValidationException", "The text value must have 1 to 8192 characters.")
    return medium["value"]


def _content(medium: Mapping[str, Any], fetch: Fetch) -> bytes:
    source = medium["source"]
    if "s3Location" in source:
        return fetch(source["s3Location"]["uri"])
    try:
        return base64.b64decode(source["bytes"], validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise _malformed("source.bytes", "Base64") from error


def _check_content(content: bytes, kind: str) -> None:
    beginnings = _BEGINNINGS.get(kind, ())
    if beginnings and not any(content[at : at + len(mark)] == mark for mark, at in beginnings):
        raise Fault("ValidationException", f"The content is not in the declared format {kind}.")


def _seconds(content: bytes) -> float:
    try:
        with av.open(io.BytesIO(content), "r") as container:
            return (container.duration or 0) / 1_000_000
    except av.FFmpegError as error:
        raise Fault("ValidationException", "The media cannot be decoded.") from error


def _clips(content: bytes, seconds: int) -> Iterator[Piece]:
    duration = _seconds(content)
    for index in range(max(1, math.ceil(round(duration / seconds, 6)))):
        start, end = float(index * seconds), min(float((index + 1) * seconds), duration)
        row = clip_embedding(content, start, end)
        yield Piece(row, {"segmentStartSeconds": start, "segmentEndSeconds": end})


def _cut(text: str, limit: int) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(text):
        end = min(start + limit, len(text))
        if end < len(text) and (blank := text.rfind(" ", start, end)) > start:
            end = blank + 1
        yield start, end
        start = end
