"""Rows as int8 codes of at most 384 components: what is scanned, before the best are compared exactly.

An encoder reduces a row, then divides it by its largest component. It reduces by taking the first components, which
for nested (Matryoshka) embeddings are an embedding themselves, or by a projection that was learned from the rows. A
score is the larger, the nearer the row: for cosine the reduced product, for euclidean the product minus half the square
of the row's length, which orders rows as their distance does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s3vectors_local.model import Float32, Metric
from s3vectors_local.search.cold import fetch, gather

WIDTH: Final = 384
_STEPS: Final = 127
COPIED_BYTES: Final = 512 * 1024
"""Of rows at a time: they stay in the cache between the copy and the product, and memory for them is at hand."""
_ENCODED_BYTES: Final = 1024 * 1024
_FLOAT32: Final = np.finfo(np.float32)
Int8 = npt.NDArray[np.int8]
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Codes:
    """Codes of rows, shape (n, width); `scales` undo the division, `penalties` are subtracted from scores."""

    values: Int8
    scales: Float32
    penalties: Float32

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, part: Any) -> "Codes":
        """Return some of the codes."""
        return Codes(self.values[part], self.scales[part], self.penalties[part])

    def take(self, places: npt.NDArray[Any]) -> "Codes":
        """Return the codes of some rows, copied."""
        return Codes(self.values.take(places, axis=0), self.scales.take(places), self.penalties.take(places))

    def scores(self, query: "Asked") -> Float32:
        """Return the score of each row."""
        return _scores(_products(self.values, query), self.scales, self.penalties, query)

    def scores_in(self, query: "Asked", spans: Sequence[tuple[int, int]], places: npt.NDArray[Any]) -> Float32:
        """Return the scores of rows that lie in spans, whose places these are."""
        # Several lists together: threads wait for each other wherever a call lets go of the interpreter.
        products = [_products(values, query) for values in self._grouped(spans)]
        return _scores(_one(products), self.scales.take(places), self.penalties.take(places), query)

    def scores_at(self, query: "Asked", places: npt.NDArray[Any]) -> Float32:
        """Return the scores of some rows."""
        fetch(self.values, places)
        step = self._rows_at_once()
        blocks = (places[start : start + step] for start in range(0, len(places), step))
        products = [_products(self.values.take(block, axis=0), query) for block in blocks]
        return _scores(_one(products), gather(self.scales, places), gather(self.penalties, places), query)

    def _grouped(self, spans: Sequence[tuple[int, int]]) -> Iterator[Int8]:
        """Yield the codes in spans, as many together as are copied at once."""
        most, group, held = self._rows_at_once(), list[Int8](), 0
        for start, end in spans:
            if group and held + end - start > most:
                yield group[0] if len(group) == 1 else np.concatenate(group)
                group, held = [], 0
            group.append(self.values[start:end])
            held += end - start
        yield group[0] if len(group) == 1 else np.concatenate(group)

    def _rows_at_once(self) -> int:
        width: int = self.values.shape[1]
        return max(1, COPIED_BYTES // max(1, width))


def _one(products: Sequence[npt.NDArray[np.int32]]) -> npt.NDArray[np.int32]:
    if len(products) == 1:
        return products[0]
    return np.concatenate([np.empty(0, np.int32), *products])


def joined(pieces: Sequence[Codes]) -> Codes:
    """Return codes one after another."""
    return Codes(
        np.concatenate([piece.values for piece in pieces]),
        np.concatenate([piece.scales for piece in pieces]),
        np.concatenate([piece.penalties for piece in pieces]),
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """A query, encoded."""

    packed: Any
    scale: np.float32
    penalised: bool


@dataclass(frozen=True, slots=True)
class Encoder:
    """Encodes the rows of one index."""

    metric: Metric
    dimension: int
    projection: Float32 | None = None
    """Shape (width, dimension); None takes the first components."""

    @property
    def width(self) -> int:
        """How many components a code has."""
        return min(WIDTH, self.dimension) if self.projection is None else len(self.projection)

    def reduced(self, rows: Float32, norms: Float64) -> Float32:
        """Return the rows before they become codes, shape (n, width)."""
        if self.metric is Metric.EUCLIDEAN:
            return rows[:, : self.width] if self.projection is None else _projected(rows, self.projection)
        if self.projection is not None:
            return _divided(_projected(rows, self.projection), norms)
        prefix = rows[:, : self.width]
        wide = prefix.astype(np.float64)
        return _divided(wide, np.sqrt(np.einsum("ij,ij->i", wide, wide)))

    def encode(self, rows: Float32, norms: Float64) -> Codes:
        """Return the codes of rows, shape (n, dimension), of these lengths."""
        return quantised(self.reduced(rows, norms), self.penalties(norms))

    def penalties(self, norms: Float64) -> Float32:
        """Return what is subtracted from the scores of rows of these lengths."""
        return narrowed(norms**2 / 2) if self.metric is Metric.EUCLIDEAN else np.zeros(len(norms), np.float32)

    @property
    def is_whole(self) -> bool:
        """True where codes are of all components."""
        return self.projection is None and self.width == self.dimension

    def encode_whole(self, rows: Float32, norms: Float64) -> Codes:
        """Return codes of all components of rows, shape (n, dimension)."""
        return quantised(self._whole(rows, norms), self.penalties(norms))

    def encode_into(self, whole: Codes, rows: Float32, norms: Float64, slots: npt.NDArray[Any]) -> None:
        """Write the codes of all components of rows, shape (n, dimension), to their slots."""
        # A little at a time: what stays in the cache is encoded several times faster.
        step = max(1, _ENCODED_BYTES // rows[0].nbytes)
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            codes = self.encode_whole(rows[part], norms[part])
            whole.values[slots[part]] = codes.values
            whole.scales[slots[part]] = codes.scales
            whole.penalties[slots[part]] = codes.penalties

    def ask_whole(self, query: Float32) -> Asked:
        """Return a query to score codes of all components with."""
        norm = np.array([np.linalg.norm(query.astype(np.float64))])
        return self.ask_code(quantised(self._whole(query[None], norm), np.zeros(1, np.float32)))

    def _whole(self, rows: Float32, norms: Float64) -> Float32:
        return rows if self.metric is Metric.EUCLIDEAN else _divided(rows, norms)

    def ask(self, query: Float32) -> Asked:
        """Return a query, shape (dimension,), to score codes with."""
        return self.ask_code(self.code(query))

    def code(self, query: Float32) -> Codes:
        """Return the code of a query, shape (dimension,)."""
        norm = np.array([np.linalg.norm(query.astype(np.float64))])
        return quantised(self.reduced(query[None], norm), np.zeros(1, np.float32))

    def ask_code(self, code: Codes) -> Asked:
        """Return one code as a query."""
        import numkong

        return Asked(numkong.dots_pack(code.values), code.scales[0], self.metric is Metric.EUCLIDEAN)

    def scored(self, codes: Codes, queries: Codes) -> Iterator[Float32]:
        """Yield the scores of codes for each of a few queries; the codes are read once for all of them."""
        import numkong

        products = np.asarray(numkong.dots_packed(codes.values, numkong.dots_pack(queries.values)))
        for number in range(len(queries)):
            asked = self.ask_code(queries[number : number + 1])
            yield _scores(products[:, number], codes.scales, codes.penalties, asked)


def _products(values: Int8, query: Asked) -> npt.NDArray[np.int32]:
    import numkong

    if not len(values):
        return np.empty(0, np.int32)
    return np.asarray(numkong.dots_packed(values, query.packed))[:, 0]


def _scores(products: npt.NDArray[np.int32], scales: Float32, penalties: Float32, query: Asked) -> Float32:
    if not query.penalised:
        scores: Float32 = np.multiply(products, scales, dtype=np.float32)
        return scores
    found = np.multiply(products, scales, dtype=np.float64)
    found *= float(query.scale)
    found -= penalties
    return narrowed(found)


def quantised(rows: Float32, penalties: Float32) -> Codes:
    """Return codes of reduced rows."""
    scales = np.abs(rows).max(axis=1, initial=0) / _STEPS
    scales[scales < _FLOAT32.tiny] = 0  # a subnormal scale has too few digits to divide by
    divisors = np.where(scales > 0, scales, 1)
    return Codes(np.rint(rows / divisors[:, None]).astype(np.int8), scales.astype(np.float32), penalties)


def learned(rows: Float32, *, seed: int = 0, rounds: int = 2) -> Float32:
    """Return the projection to the components in which rows, shape (n, dimension), hold the most.

    The leading right singular vectors, by subspace iteration from a random start (Halko, Martinsson, Tropp 2011).
    """
    generator = np.random.default_rng(seed)
    basis = generator.standard_normal((rows.shape[1], WIDTH), dtype=np.float32)
    for _ in range(rounds):
        basis, _ = np.linalg.qr(rows.T @ (rows @ basis))
    return np.ascontiguousarray(basis.T, dtype=np.float32)


def narrowed(values: Float64) -> Float32:
    """Return values as float32, those beyond its range as its largest."""
    found: Float32 = np.clip(values, -_FLOAT32.max, _FLOAT32.max).astype(np.float32)
    return found


def _projected(rows: Float32, projection: Float32) -> Float32:
    if len(rows) > 1:
        with np.errstate(over="ignore", invalid="ignore"):
            found: Float32 = np.nan_to_num(rows @ projection.T, copy=False)
        return found
    import numkong

    # For one row all threads of a BLAS wait for each other longer than they work.
    return narrowed(np.asarray(numkong.dots_packed(projection, numkong.dots_pack(rows)), np.float64).T)


def _divided(rows: npt.NDArray[Any], norms: Float64) -> Float32:
    divided: Float32 = (rows / np.where(norms > 0, norms, 1)[:, None]).astype(np.float32)
    return divided
