"""What a chat gives, and its JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from nestor.moments import Moment
from nestor.ports import Usage


class Mode(StrEnum):
    """Where an answer comes from."""

    MODEL = "model"
    EXTRACTIVE = "extractive"
    """Quoted from the passages, without a model."""
    NOTHING_FOUND = "nothing found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """One place in one file that the answer may rest on."""

    number: int
    """From 1: what `[n]` in the answer means."""
    moment: Moment
    text: str
    """What is written or said there, without control characters; may be empty."""
    picture: bytes | None = None
    """What is to be seen there, JPEG."""
    note: str = ""
    """Why there is less than there could be; empty otherwise."""

    @property
    def link(self) -> str:
        """Where Nestor's page opens it."""
        return f"/asset/{self.moment.object_id}?segment={self.moment.segment}"

    @property
    def label(self) -> str:
        """File and place, as people read it."""
        return f"{self.moment.file or self.moment.uri}, {place}" if (place := self.moment.place) else self.moment.file


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieved:
    """What was found to answer from."""

    query: str
    """What was searched for: the question, or the words that a follow-up stands for."""
    passages: tuple[Passage, ...]
    """Best first; none when nothing relevant was found."""
    strategy: str
    dimension: int
    threshold: float
    """The similarity that a passage must exceed to count as relevant."""
    threshold_origin: str
    """How that is known: `measured here`, `measured on other data`, or `not measured`."""
    best: float | None = None
    """The similarity of the best hit, also of one that was too low."""


@dataclass(frozen=True, slots=True)
class Said:
    """A piece of the answer, to be appended to the ones before."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cited:
    """What the answer rests on."""

    numbers: tuple[int, ...]
    """Of the passages cited, in the order in which they came first."""
    removed_citations: int = 0
    """Citations of passages that there are not."""
    removed_links: int = 0
    """Links, pictures and addresses that the model wrote and no passage holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The end of an answer."""

    mode: Mode
    model: str = ""
    usage: Usage | None = None
    took_ms: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds: search, look (at the sources), first (piece of the answer, from the question on), total."""
    notes: tuple[str, ...] = ()
    """What the user should know, in sentences."""


Event: TypeAlias = Retrieved | Said | Cited | Done

_NAMES: Mapping[type, str] = {Retrieved: "retrieved", Said: "text", Cited: "citations", Done: "done"}


def name(event: Event) -> str:
    """Return what the event is called in JSON and in streams: retrieved, text, citations, done."""
    return _NAMES[type(event)]


def document(event: Event) -> dict[str, Any]:
    """Return the event as JSON knows it, its name under `event`."""
    return {"event": name(event), **_members(event)}


def _members(event: Event) -> dict[str, Any]:
    match event:
        case Said(text):
            return {"text": text}
        case Retrieved():
            return {
                "query": event.query,
                "strategy": event.strategy,
                "dimension": event.dimension,
                "threshold": round(event.threshold, 4),
                "threshold_origin": event.threshold_origin,
                "best": None if event.best is None else round(event.best, 4),
                "passages": [_passage(each) for each in event.passages],
            }
        case Cited():
            return {
                "numbers": list(event.numbers),
                "removed_citations": event.removed_citations,
                "removed_links": event.removed_links,
            }
        case Done():
            usage = event.usage
            return {
                "mode": str(event.mode),
                "model": event.model or None,
                "usage": usage and {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens},
                "took_ms": dict(event.took_ms),
                "notes": list(event.notes),
            }


def _passage(passage: Passage) -> dict[str, Any]:
    return {
        "number": passage.number,
        "label": passage.label,
        "link": passage.link,
        **passage.moment.fields(),
        "text": passage.text,
        "has_picture": passage.picture is not None,
        "note": passage.note or None,
    }
