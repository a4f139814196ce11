"""What answers look like, for the OpenAPI document; no answer is built from these.

Only the turns of a conversation are also read by their shape.
"""

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from nestor.chat.events import Mode
from nestor.chat.limits import ANSWER_CHARACTERS, PASSAGES
from nestor.chat.limits import QUESTION_CHARACTERS as CHAT_CHARACTERS
from nestor.domain import Modality, Status
from nestor.uploads import FileStatus, Stage, State

FILE_CHARACTERS: Final = 1_000
"""Of a file's name in a conversation."""
Scalar = str | float | bool | list[str] | list[float]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ErrorDetail(_Shape):
    """What went wrong: a word for programs, words for people, and the id of the request."""

    code: str
    message: str
    id: str


class Error(_Shape):
    """The one shape of every error."""

    error: ErrorDetail


class Hit(_Shape):
    """One segment. `similarity` is 1 - `distance`; both are null where only words found it."""

    key: str
    similarity: float | None
    distance: float | None
    score: float | None = None
    metadata: dict[str, Scalar]
    embedding: list[float] | None = None


class Spent(_Shape):
    """What was asked of the vector store."""

    requests: int
    returned_bytes: int


class QueryAnswer(_Shape):
    """The nearest segments, nearest first."""

    query: str
    dimension: int
    strategy: str
    hits: list[Hit]
    candidates: int
    spent: Spent
    took_ms: dict[str, float]


class Reference(_Shape):
    """What the entries agree with, or not."""

    strategy: str
    dimension: int


class Entry(_Shape):
    """One strategy at one size; `agreement` is the share of the reference's hits that it found too."""

    dimension: int
    strategy: str
    hits: list[Hit]
    candidates: int
    spent: Spent
    took_ms: dict[str, float]
    agreement: float
    vector_bytes: int


class ComparisonAnswer(_Shape):
    """One question, asked in several ways."""

    query: str
    top_k: int
    reference: Reference
    entries: list[Entry]


class ChatPlace(_Shape):
    """A place that an earlier answer rested on."""

    object_id: str = Field(pattern="^[0-9a-f]{24}$")
    segment: int = Field(0, ge=0, le=10_000_000)
    file: str = Field("", max_length=FILE_CHARACTERS)


class ChatTurn(_Shape):
    """An earlier turn: what an answer calls its `turn`. Of the answer the first 2,000 characters count."""

    question: str = Field(min_length=1, max_length=CHAT_CHARACTERS)
    answer: str = Field(max_length=ANSWER_CHARACTERS)
    query: str = Field("", max_length=CHAT_CHARACTERS, description="What was searched for; the question where empty.")
    passages: Annotated[list[ChatPlace], Field(max_length=PASSAGES)] = Field([], description="By their numbers.")


class ChatPassage(_Shape):
    """A place in a file; `[number]` in the answer means it, and `link` opens it on the page."""

    number: int
    label: str
    link: str
    key: str
    object_id: str
    segment: int
    uri: str
    file: str
    modality: str
    text: str
    has_picture: bool
    note: str | None
    place: str | None = None
    page: int | None = None
    start_seconds: float | None = None
    end_seconds: float | None = None
    similarity: float | None = None
    score: float | None = None
    collection: str | None = None
    tags: list[str] | None = None


class Citations(_Shape):
    """Numbers of the passages cited, and how much the model cited or linked that there is not."""

    numbers: list[int]
    removed_citations: int
    removed_links: int


class ModelUsage(_Shape):
    """What the model counted."""

    input_tokens: int
    output_tokens: int


class ChatAnswer(_Shape):
    """An answer from the passages; `turn` goes into `conversation` with the next question."""

    answer: str
    passages: list[ChatPassage]
    citations: Citations
    mode: Mode
    model: str | None
    usage: ModelUsage | None
    took_ms: dict[str, float]
    notes: list[str]
    query: str
    strategy: str
    dimension: int
    threshold: float
    threshold_origin: str
    best: float | None
    turn: ChatTurn | None


class Asset(_Shape):
    """One stored file."""

    object_id: str
    uri: str
    status: Status
    segments: int
    content_hash: str
    embedder: str
    dimensions: list[int]
    modality: Modality | None
    content_type: str
    file_name: str
    size_bytes: int
    collection: str
    tags: list[str]
    uploaded_at: int
    reason: str
    warnings: list[str]
    file_is_here: bool


class Assets(_Shape):
    """Some of the assets that match; `next_offset` is null after the last."""

    assets: list[Asset]
    total: int
    next_offset: int | None
    collections: list[str]


class Segment(_Shape):
    """One segment of an asset, and what is stored beside its vectors."""

    key: str
    metadata: dict[str, Scalar]


class AssetWithSegments(_Shape):
    """One asset and some of its segments; `next_segment` is null after the last."""

    asset: Asset
    segments: list[Segment]
    next_segment: int | None


class Deleted(_Shape):
    """What was removed."""

    object_id: str
    uri: str
    segments: int


class JobFile(_Shape):
    """One file of a job."""

    object_id: str
    name: str
    status: FileStatus
    segments: int
    reason: str
    message: str


class Job(_Shape):
    """Files that are ingested together. `error` tells why the job as a whole could not go on."""

    id: str
    state: State
    stage: Stage
    percent: float
    files: list[JobFile]
    failed: int
    collection: str
    tags: list[str]
    error: str
    submitted_at: float
    finished_at: float | None


class Jobs(_Shape):
    """The latest jobs, the latest first."""

    jobs: list[Job]


class Excerpt(_Shape):
    """The text of some segments, in order."""

    object_id: str
    segments: list[Segment]


class Health(_Shape):
    """That the server answers."""

    status: str = Field(examples=["ok"])


CHAT_EVENTS: Final = {
    # As OpenAPI 3.2 has it, and tools for 3.1 understand.
    "itemSchema": {
        "type": "object",
        "required": ["event", "data"],
        "properties": {
            "event": {"enum": ["retrieved", "text", "citations", "done", "error"]},
            "data": {"type": "string", "contentMediaType": "application/json"},
        },
    },
    "example": 'event: retrieved\ndata: {"event": "retrieved", "query": "Which apes embrace?", "passages": []}\n\n'
    'event: text\ndata: {"event": "text", "text": "Three bonobos do [1]."}\n\n'
    'event: citations\ndata: {"event": "citations", "numbers": [1]}\n\n'
    'event: done\ndata: {"event": "done", "mode": "model", "model": "llava"}\n\n',
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return how errors of these statuses are told, for a route's document; some may come from every route."""
    words = {
        400: "The request makes no sense; the message says what and how to mend it.",
        401: "A token is needed.",
        403: "Not from another page, or not on this server.",
        404: "There is no such thing.",
        405: "This address does not take this method.",
        408: "The body came too slowly.",
        409: "The asset is being ingested or deleted.",
        413: "More than the limit.",
        415: "A body of another type or encoding is needed.",
        416: "The range begins beyond the end.",
        421: "The server is not called by that name.",
        422: "The file cannot be read.",
        429: "Too much at once; Retry-After tells when to try again.",
        500: "Something went wrong.",
        502: "What this service asks failed.",
        503: "Too busy, or not usable for the moment; Retry-After tells when to try again.",
    }
    return {
        status: {"model": Error, "description": words[status]}
        for status in sorted({*statuses, 400, 401, 403, 421, 429, 500, 502, 503})
    }
