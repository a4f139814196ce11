"""One question at several sizes, by several strategies, beside the exact one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from nestor.answer import Answer, Asked, asked, document
from nestor.domain import DIMENSIONS, FULL_DIMENSION
from nestor.errors import InvalidInput
from nestor.search import Found, Question, agreement
from nestor.strategies import NAMES, Direct
from nestor.web.context import Parts

_MEMBERS = frozenset({"query", "top_k", "k", "filter", "collection", "coarse", "candidates"})
MEMBERS = _MEMBERS | {"dimensions", "strategies"}
_DIMENSION_BYTES = 4


@dataclass(frozen=True, slots=True)
class Entry:
    """What one strategy found at one size."""

    found: Found
    agreement: float
    """Share of the reference's hits that it found too, 0 to 1."""

    @property
    def vector_bytes(self) -> int:
        """Bytes of one stored embedding of that size."""
        return self.found.dimension * _DIMENSION_BYTES


@dataclass(frozen=True, slots=True)
class Comparison:
    """All of them, and what they are compared with: `direct` at the full size."""

    asked: Asked
    reference: Found
    entries: tuple[Entry, ...]


def wanted(given: Mapping[str, Any]) -> tuple[Asked, tuple[int, ...], tuple[str, ...]]:
    """Return the question, the sizes and the strategies that a document asks for. Raises InvalidInput."""
    if unknown := sorted(map(str, given.keys() - MEMBERS)):
        raise InvalidInput(f"{unknown[0][:80]!r} is unknown; known are {', '.join(sorted(MEMBERS))}.")
    dimensions = _several(given, "dimensions", DIMENSIONS, DIMENSIONS)
    strategies = _several(given, "strategies", (Direct.name,), NAMES)
    return asked({name: given[name] for name in given.keys() & _MEMBERS}), dimensions, strategies


def compare(
    nestor: Parts, wish: Asked, question: Question, *, dimensions: Iterable[int], strategies: Iterable[str]
) -> Comparison:
    """Return what each finds for the question. Raises as a search does, where one of them cannot be had."""
    reference = nestor.search.ask(question, dimension=FULL_DIMENSION, top_k=wish.top_k, where=wish.where)
    entries = []
    for name in strategies:
        strategy = nestor.strategy(name, coarse=wish.coarse, candidates=wish.candidates)
        for dimension in sorted(dimensions):
            is_reference = name == Direct.name and dimension == FULL_DIMENSION
            found = reference if is_reference else None
            if found is None:
                found = nestor.search.ask(
                    question, dimension=dimension, top_k=wish.top_k, where=wish.where, strategy=strategy
                )
            entries.append(Entry(found, agreement(found, reference)))
    return Comparison(wish, reference, tuple(entries))


def comparison_document(comparison: Comparison) -> dict[str, Any]:
    """Return it as JSON has it."""
    return {
        "query": comparison.asked.query,
        "top_k": comparison.asked.top_k,
        "reference": {"strategy": comparison.reference.strategy, "dimension": comparison.reference.dimension},
        "entries": [
            {
                **{
                    name: value
                    for name, value in document(comparison.asked, Answer(entry.found)).items()
                    if name != "query"
                },
                "agreement": round(entry.agreement, 4),
                "vector_bytes": entry.vector_bytes,
            }
            for entry in comparison.entries
        ],
    }


def named(wish: Asked, name: str) -> Asked:
    """Return the question of a file, under the file's name."""
    return replace(wish, query=name)


def _several(given: Mapping[str, Any], name: str, usual: tuple[Any, ...], allowed: tuple[Any, ...]) -> tuple[Any, ...]:
    values = given.get(name)
    if values is None:
        return usual
    if (
        not isinstance(values, list)
        or not values
        or any(type(value) is bool or value not in allowed for value in values)
    ):
        raise InvalidInput(f"{name} must be a list of {', '.join(map(str, allowed))}.")
    return tuple(dict.fromkeys(values))
