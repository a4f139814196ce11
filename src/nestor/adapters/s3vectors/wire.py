"""Embeddings as NumPy rows through a boto3 `s3vectors` client, ten times faster than float by float.

botocore checks and writes a vector one number at a time: 5 ms for one of 3,072. `install` lets it see a short stand-in
in place of each vector, so that botocore still checks and writes everything else, and puts the real digits into the
finished body before it is signed. Only public events and the request's own context are used, so one client may serve
many threads, and the signer, the retries and every transport see one ordinary request.
"""

import re
import uuid
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
import orjson
from numpy.typing import ArrayLike, NDArray

from nestor import __version__
from nestor.adapters.s3vectors import reader
from nestor.errors import InvalidEmbedding

_CONTEXT = "nestor.floats"
_FLOATS = "float32"
_NUMBERS = frozenset({float, int, np.float64, Decimal})
_STAND_IN = re.compile(rb"\[(\d{39}), (\d+)\]")


@dataclass(frozen=True, slots=True)
class Floats:
    """A vector already written as a JSON list; accepted wherever the client takes `{"float32": ...}`."""

    json: bytes = field(repr=False)


def client_config(
    *, max_pool_connections: int = 16, connect_timeout: float = 5.0, read_timeout: float = 60.0, attempts: int = 4
) -> Any:
    """Return a botocore Config for the client: attempts with jittered backoff, seconds as timeouts."""
    from botocore.config import Config

    return Config(
        max_pool_connections=max_pool_connections,
        connect_timeout=connect_timeout,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": attempts},
        tcp_keepalive=True,
        # Sent as "nestor/… Botocore/…": botocore builds its own long one twice a request, a quarter of a query's cost.
        user_agent=f"nestor/{__version__}",
    )


def install(client: Any) -> None:
    """Make PutVectors and QueryVectors of this client take NumPy rows, lists or Floats, and write them fast.

    Vectors go out as the shortest digits that give the same float32. From then on the two calls raise
    InvalidEmbedding, before anything is sent, for a NaN, an infinity, or a number too large for float32. Installing
    twice changes nothing. GetVectors and ListVectors answer with rows of float32. Other handlers of `before-
    parameter-build` see the caller's vectors, those of `before-call` the final body.
    """
    on = client.meta.events
    for operation, take in (("PutVectors", _take_put), ("QueryVectors", _take_query)):
        on.register_last(f"before-parameter-build.s3vectors.{operation}", take, unique_id=f"nestor-take-{operation}")
        on.register_first(f"before-call.s3vectors.{operation}", _write, unique_id=f"nestor-write-{operation}")
    reader.install(client)


def encode(vector: ArrayLike) -> Floats:
    """Return the vector as JSON. Raises InvalidEmbedding when it is not a row of finite float32 numbers."""
    row = _row(vector)
    if row is None:
        raise InvalidEmbedding("A vector must be one row of numbers.")
    return Floats(_checked(row, name="the vector"))


class _Swap:
    """The vectors of one request, each replaced by a stand-in that no text of the caller's can equal."""

    def __init__(self) -> None:
        self._marker = uuid.uuid4().int | 1 << 127
        """At least 2**127, so always 39 digits."""
        self._rows: list[bytes] = []

    def __call__(self, data: Any, *, name: str) -> Any:
        """Return the data with a stand-in for its numbers; as it is, for botocore to judge, where they are no row."""
        written = _written(data, name=name)
        if written is None:
            return data
        self._rows.append(written)
        return {**data, _FLOATS: [self._marker, len(self._rows) - 1]}

    def fill(self, body: bytes) -> bytes:
        """Return the body with the vectors in the places of their stand-ins."""
        parts: list[bytes] = []
        end = 0
        for found in _STAND_IN.finditer(body):
            if int(found[1]) == self._marker:
                parts += body[end : found.start()], self._rows[int(found[2])]
                end = found.end()
        return b"".join((*parts, body[end:]))


def _take_put(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    vectors = params.get("vectors")
    if isinstance(vectors, list | tuple) and not context.get("is_presign_request"):
        swap = context[_CONTEXT] = _Swap()
        params["vectors"] = [_swapped(vector, swap) for vector in vectors]


def _swapped(vector: Any, swap: _Swap) -> Any:
    if not isinstance(vector, dict) or "data" not in vector:
        return vector
    return {**vector, "data": swap(vector["data"], name=f"the vector of key {vector.get('key')!r}")}


def _take_query(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    if "queryVector" in params and not context.get("is_presign_request"):
        swap = context[_CONTEXT] = _Swap()
        params["queryVector"] = swap(params["queryVector"], name="the query vector")


def _write(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    swap = context.pop(_CONTEXT, None)
    if swap is not None:
        params["body"] = swap.fill(params["body"])


def _written(data: Any, *, name: str) -> bytes | None:
    if not isinstance(data, dict) or _FLOATS not in data:
        return None
    vector = data[_FLOATS]
    if isinstance(vector, Floats):
        return vector.json
    row = _row(vector)
    return None if row is None else _checked(row, name=name)


def _row(vector: Any) -> NDArray[np.float32] | None:
    """Return the vector as a row of float32; None when it is anything but a plain row of real numbers."""
    if not isinstance(vector, np.ndarray):
        vector = _from_list(vector)
    if vector is None or vector.ndim != 1 or vector.dtype.kind not in "fiu":
        return None
    with np.errstate(over="ignore"):  # what overflows becomes infinite, and is refused as such
        return np.ascontiguousarray(vector, dtype=np.float32)


def _from_list(vector: Any) -> NDArray[np.float64] | None:
    if not isinstance(vector, list | tuple) or not _NUMBERS.issuperset(map(type, vector)):
        return None
    try:
        return np.array(vector, dtype=np.float64)
    except OverflowError:  # an int beyond every float
        return np.array([np.inf])


def _checked(row: NDArray[np.float32], *, name: str) -> bytes:
    if not np.isfinite(row).all():
        raise InvalidEmbedding(f"A number in {name} is NaN, infinite, or too large for float32; nothing was sent.")
    return orjson.dumps(row, option=orjson.OPT_SERIALIZE_NUMPY)
