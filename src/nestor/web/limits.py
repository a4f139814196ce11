"""Every limit of the HTTP API in one place; all of them are in its OpenAPI document."""

from dataclasses import dataclass
from typing import Final

from nestor.answer import MAX_CANDIDATES, MAX_TOP_K

TOP_K: Final = MAX_TOP_K
CANDIDATES: Final = MAX_CANDIDATES
QUESTION_CHARACTERS: Final = 50_000
"""Of a question in words: Nova's own limit."""
LISTED: Final = 500
"""Assets in one page of a list, and segments in one page of an asset."""
NAME_CHARACTERS: Final = 200
"""Of a collection, and of what a name is filtered by."""
AROUND: Final = 20
"""Segments before and after the one whose text is asked for."""
RETRY_AFTER: Final = 2
"""Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What whoever serves may change."""

    body_bytes: int = 64 << 10
    """Of a request that is no upload."""
    question_bytes: int = 32 << 20
    """Of a file that is a question."""
    upload_bytes: int = 512 << 20
    """Of all files of one upload: as large as a reader takes one."""
    upload_files: int = 50
    running: int = 4
    """Questions at work at a time."""
    waiting: int = 256
    """Questions that may wait for it."""
    reading: int = 2
    """Reader processes at a time, for files that are questions and for pages."""
    reading_waiting: int = 16
    chats: int = 8
    """Answers of a chat being written at a time, each in a thread of its own; `waiting` holds for them, too."""
    streams: int = 64
    """Open streams of events."""
    idle_seconds: float = 60.0
    """For the next bytes of a body to arrive."""
