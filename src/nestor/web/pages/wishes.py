"""What a person chose on the page of the search, from the address to a question and back."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from nestor.answer import MAX_TOP_K, Asked
from nestor.domain import DIMENSIONS, FULL_DIMENSION, Filter, Modality
from nestor.errors import InvalidInput
from nestor.strategies import NAMES, Manual
from nestor.web.limits import NAME_CHARACTERS, QUESTION_CHARACTERS

STEP = 12
"""Hits that `more` adds."""
PERIODS = {1: "Past day", 7: "Past week", 31: "Past month", 366: "Past year"}
"""Days since a file was ingested."""
STRATEGIES = tuple(name for name in NAMES if name != Manual.name)
"""The manual scan is for a rollback, which chooses it for the whole home."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A question with all that was chosen beside it. Raises InvalidInput for what the page does not offer."""

    words: str = ""
    file: str = ""
    """The id of a file that asks."""
    modalities: tuple[str, ...] = ()
    collection: str = ""
    days: int = 0
    """0 for any time."""
    dimension: int = FULL_DIMENSION
    strategy: str = ""
    """Empty for the usual one."""
    show: int = STEP

    def __post_init__(self) -> None:
        """Refuse an address that was made up."""
        if len(self.words) > QUESTION_CHARACTERS:
            raise InvalidInput(f"The question is too long: it may have {QUESTION_CHARACTERS:,} characters.")
        if unknown := set(self.modalities) - set(Modality):
            raise InvalidInput(f"There is no kind {min(unknown)[:80]!r}: {', '.join(Modality)}.")
        if len(self.collection) > NAME_CHARACTERS:
            raise InvalidInput(f"The name of a collection has at most {NAME_CHARACTERS} characters.")
        if self.strategy and self.strategy not in NAMES:
            raise InvalidInput(f"There is no strategy {self.strategy[:80]!r}: {', '.join(NAMES)}.")
        if self.days and self.days not in PERIODS:
            raise InvalidInput(f"since must be one of {', '.join(map(str, PERIODS))} days.")

    @property
    def is_asked(self) -> bool:
        """Whether there is a question at all."""
        return bool(self.words.strip() or self.file)

    @property
    def where(self) -> Filter | None:
        """The filter document, None where everything is searched."""
        conditions: list[Filter] = []
        if self.modalities:
            conditions.append({"modality": {"$in": list(self.modalities)}})
        if self.collection:
            conditions.append({"collection": {"$eq": self.collection}})
        if self.days:
            conditions.append({"uploaded_at": {"$gte": int(time.time()) - self.days * 86_400}})
        return {"$and": conditions} if len(conditions) > 1 else next(iter(conditions), None)

    @property
    def asked(self) -> Asked:
        """The question as the API takes it; one hit more than is shown tells whether there are more."""
        return Asked(
            query=self.words,
            dimension=self.dimension,
            top_k=min(self.show + 1, MAX_TOP_K),
            strategy=self.strategy or None,
            where=self.where,
        )

    @property
    def options(self) -> list[tuple[str, str]]:
        """All but the question and how much is shown, as the form names it; what is usual is left out."""
        chosen = [("modality", each) for each in self.modalities]
        chosen += [("collection", self.collection)] if self.collection else []
        chosen += [("since", str(self.days))] if self.days else []
        chosen += [("dimension", str(self.dimension))] if self.dimension != FULL_DIMENSION else []
        return chosen + ([("strategy", self.strategy)] if self.strategy else [])

    def address(self, **changed: Any) -> str:
        """Return where this, with something changed, is answered."""
        wish = replace(self, **changed)
        question = [("q", wish.words)] if wish.words else []
        question += [("file", wish.file)] if wish.file else []
        shown = [("show", str(wish.show))] if wish.show != STEP else []
        return "/?" + urlencode([*question, *wish.options, *shown])

    def more(self) -> str | None:
        """Return where more of the hits are shown, None where an answer holds no more."""
        return self.address(show=min(self.show + STEP, MAX_TOP_K)) if self.show < MAX_TOP_K else None


def from_query(query: QueryParams) -> Wish:
    """Return the wish of an address. Raises InvalidInput."""
    return _wish({name: query.getlist(name) for name in query})


def from_form(fields: Mapping[str, Sequence[str]]) -> Wish:
    """Return the wish of a form. Raises InvalidInput."""
    return _wish(fields)


def _wish(fields: Mapping[str, Sequence[str]]) -> Wish:
    def last(name: str) -> str:
        return next(reversed(fields.get(name, ("",))), "")

    dimension = _number("dimension", last("dimension"), usual=FULL_DIMENSION, most=FULL_DIMENSION)
    if dimension not in DIMENSIONS:
        raise InvalidInput(f"dimension is {dimension}; it must be one of {', '.join(map(str, DIMENSIONS))}.")
    return Wish(
        words=last("q"),
        file=last("file")[:64],
        modalities=tuple(dict.fromkeys(fields.get("modality", ()))),
        collection=last("collection"),
        days=_number("since", last("since"), usual=0, most=366),
        dimension=dimension,
        strategy=last("strategy"),
        show=max(1, _number("show", last("show"), usual=STEP, most=MAX_TOP_K)),
    )


def _number(name: str, text: str, *, usual: int, most: int) -> int:
    if not text:
        return usual
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and int(text) <= most):
        raise InvalidInput(f"{name} is {text[:80]!r}; it must be a whole number up to {most:,}.")
    return int(text)
