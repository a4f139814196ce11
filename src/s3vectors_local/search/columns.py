"""Filterable metadata turned round: for each key, which slots hold which values. Filters are answered from these.

A block covers some slots and never changes. In it the strings, the numbers and the booleans of a key are in order, each
once and with its slots, so that every operator is a search in a sorted array.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s3vectors_local.filters import All, Condition, Scalar, Tree
from s3vectors_local.model import Metadata

Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int32]
Key = tuple[str, type]
_Gathered = tuple[list[Any], list[int]]
_TYPES: Final[tuple[type, ...]] = (str, bool, float)
_TYPE_OF: Final[Mapping[type, type]] = {str: str, bool: bool, int: float, float: float}
_NEGATIVE: Final[Mapping[str, str]] = {"$ne": "$eq", "$nin": "$in"}
_ORDER: Final = frozenset({"$gt", "$gte", "$lt", "$lte"})
_SAFE: Final = 2**53  # whole numbers up to here are told apart as float64


@dataclass(frozen=True, slots=True)
class Postings:
    """Values in order, each once: `values[i]` is at `places[starts[i] : starts[i + 1]]`."""

    values: npt.NDArray[Any]
    """Text, float64 or booleans; Python's numbers where float64 would not tell all of them apart."""
    starts: Places
    places: Places
    single: bool
    """True where no place has two values."""

    def equal(self, value: Scalar) -> Places:
        """Return the places of one value."""
        return self.between(self._bound(bisect_left, value), self._bound(bisect_right, value))

    def starting(self, prefix: str) -> Places:
        """Return the places of the texts that begin so."""
        last = bisect_right(self.values, prefix, key=lambda text: text[: len(prefix)])
        return self.between(self._bound(bisect_left, prefix), last)

    def span(self, operator: str, value: Any) -> tuple[int, int]:
        """Return which values are greater, or less, than one: from the first to before the last."""
        bound = self._bound(bisect_right if operator in {"$gt", "$lte"} else bisect_left, value)
        return (bound, len(self.values)) if operator in {"$gt", "$gte"} else (0, bound)

    def between(self, first: int, last: int) -> Places:
        """Return the places of some values, from the first to before the last."""
        return self.places[self.starts[first] : self.starts[last]]

    def _bound(self, side: Callable[..., int], value: Scalar) -> int:
        # Python compares a whole number with a float exactly; NumPy would round it first.
        return side(self.values, value, key=float if self.values.dtype == np.float64 else None)


@dataclass(frozen=True, slots=True)
class Block:
    """The metadata of some of the slots from `start` to before `end`, by key and type; places count from `start`."""

    start: int
    end: int
    columns: Mapping[Key, Postings]

    def mask(self, tree: Tree) -> Mask:
        """Return for each slot whether a filter holds."""
        if isinstance(tree, Condition):
            return self._condition(tree)
        if isinstance(tree, All):
            return reduce(np.logical_and, self._masks(tree.parts))
        return reduce(np.logical_or, map(self.mask, tree.parts))

    def _masks(self, parts: Iterable[Tree]) -> Iterator[Mask]:
        """Yield masks that hold together where all parts do; the bounds of a range give one."""
        ranges: defaultdict[str, list[Condition]] = defaultdict(list)
        for part in parts:
            if isinstance(part, Condition) and part.operator in _ORDER and self._has_single(part.key):
                ranges[part.key].append(part)
            else:
                yield self.mask(part)
        for key, conditions in ranges.items():
            yield self._mask([self._within(self.columns[key, float], conditions)])

    def _has_single(self, key: str) -> bool:
        # Of an array one element may be within one bound, another within the other.
        return (key, float) in self.columns and self.columns[key, float].single

    def _within(self, numbers: Postings, conditions: Sequence[Condition]) -> Places:
        spans = [numbers.span(each.operator, each.operand) for each in conditions]
        return numbers.between(max(first for first, _ in spans), min(last for _, last in spans))

    def _condition(self, condition: Condition) -> Mask:
        key, operator, operand = condition.key, condition.operator, condition.operand
        mask = self._mask(self._found(key, _NEGATIVE.get(operator, operator), operand))
        if operator in _NEGATIVE or (operator == "$exists" and not operand):
            np.logical_not(mask, out=mask)
        return mask

    def _mask(self, found: Iterable[Places]) -> Mask:
        mask = np.zeros(self.end - self.start, np.bool_)
        for places in found:
            mask[places] = True
        return mask

    def _found(self, key: str, operator: str, operand: Any) -> Iterator[Places]:
        """Yield the places that a condition holds for, some perhaps more than once; for $exists those of the key."""
        if operator == "$exists":
            yield from (self.columns[key, kind].places for kind in _TYPES if (key, kind) in self.columns)
            return
        for value in operand if isinstance(operand, tuple) else (operand,):
            column = self.columns.get((key, _TYPE_OF[type(value)]))
            if column is not None:
                yield _matching(column, operator, value)


def block(start: int, end: int, documents: Iterable[tuple[int, Metadata]]) -> Block:
    """Return the block of some slots, which come with their metadata in any order."""
    by_type = {kind: defaultdict[str, _Gathered](_nothing) for kind in _TYPES}
    keys = {kind: by_type[_TYPE_OF[kind]] for kind in _TYPE_OF}
    for slot, document in documents:
        for key, value in document.items():
            if type(value) is not list:
                values, places = keys[type(value)][key]
                values.append(value)
                places.append(slot - start)
                continue
            for one in value:
                values, places = keys[type(one)][key]
                values.append(one)
                places.append(slot - start)
    columns = {(key, kind): _postings(*found) for kind in _TYPES for key, found in by_type[kind].items()}
    return Block(start, end, columns)


def merged(blocks: Sequence[Block]) -> Block:
    """Return one block in place of several, none of which has a slot of another."""
    start, end = min(each.start for each in blocks), max(each.end for each in blocks)
    parts: defaultdict[Key, list[tuple[int, Postings]]] = defaultdict(list)
    for each in blocks:
        for key, column in each.columns.items():
            parts[key].append((each.start - start, column))
    return Block(start, end, {key: _merged(columns) for key, columns in parts.items()})


def _matching(column: Postings, operator: str, value: Any) -> Places:
    if operator in {"$eq", "$in"}:
        return column.equal(value)
    return column.starting(value) if operator == "$startsWith" else column.between(*column.span(operator, value))


def _nothing() -> _Gathered:
    return [], []


def _postings(values: Sequence[Any], places: Sequence[int]) -> Postings:
    unique = sorted(set(values))
    numbers = {value: number for number, value in enumerate(unique)}
    which = np.fromiter(map(numbers.__getitem__, values), np.int32, len(values))
    starts = np.concatenate([[0], np.cumsum(np.bincount(which))]).astype(np.int32)
    in_order = np.array(places, np.int32)[np.argsort(which, kind="stable")]
    return Postings(_array(unique), starts, in_order, single=len(set(places)) == len(places))


def _merged(parts: Sequence[tuple[int, Postings]]) -> Postings:
    values = np.concatenate([part.values for _, part in parts])
    places = np.concatenate([part.places + np.int32(shift) for shift, part in parts])
    counts = np.concatenate([np.diff(part.starts) for _, part in parts])
    begins = np.cumsum(counts) - counts
    order = np.argsort(values, kind="stable")
    values, counts, begins = values[order], counts[order], begins[order]
    ends = np.cumsum(counts)
    # Each part has the places of a value in a run from `begins` on; here they come together, in the order of values.
    in_order = places[np.repeat(begins - (ends - counts), counts) + np.arange(len(places))]
    first = np.concatenate([[True], values[1:] != values[:-1]])
    starts = np.concatenate([(ends - counts)[first], ends[-1:]]).astype(np.int32)
    return Postings(values[first], starts, in_order, single=all(part.single for _, part in parts))


def _array(unique: Sequence[Any]) -> npt.NDArray[Any]:
    if isinstance(unique[0], str):
        return np.array(unique, np.dtypes.StringDType())
    if isinstance(unique[0], bool):
        return np.array(unique, np.bool_)
    return np.array(unique, np.float64 if all(map(_is_safe, unique)) else object)


def _is_safe(value: float) -> bool:
    return type(value) is float or -_SAFE <= value <= _SAFE
