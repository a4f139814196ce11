"""Request bodies as Python values, without a Python float for each component of a vector.

Long vectors are cut out of the text and read by simdjson; what is left is read by orjson, which so decides on the
document. Whatever is not as simple as a list of numbers under `float32` is left where it is.
"""

import re
import secrets
from collections.abc import Iterator
from typing import Any, Final, cast

import numpy as np
import orjson

from s3vectors_local.model import Float32

_KEY: Final = b'"float32"'
_HEAD: Final = re.compile(rb'"float32"[ \t\n\r]*:[ \t\n\r]*(?=\[)')
_LONG: Final = 512  # bytes of text; cutting out a shorter list takes longer than reading it
_MARK: Final = secrets.token_hex(16)  # stands, with a number, where a vector was; no client can know it

Arrays = dict[str, Float32]


def read(body: bytes) -> Any:
    """Return what orjson makes of the body, but for vectors: a list of numbers may come as a float32 array.

    Vectors are the `float32` of a `queryVector`, and of the `data` of each of the `vectors`; a component that float32
    cannot hold is infinite. Raises orjson.JSONDecodeError.
    """
    text, arrays = _cut(body)
    if not arrays:
        return orjson.loads(body)
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        return orjson.loads(body)  # the same fault, told by its place in the body
    _put_back(document, arrays)
    # Where one is left over, it stood in metadata, or in a member that is there twice.
    return orjson.loads(body) if arrays else document


def _cut(body: bytes) -> tuple[bytes, Arrays]:
    """Return the text with marks in place of its long lists of numbers, and the lists by their marks."""
    pieces: list[bytes] = []
    arrays, done = Arrays(), 0
    for start, end in _spans(body):
        array = _array(body[start:end])
        if array is None:
            continue
        mark = f"{_MARK}{len(arrays)}"
        arrays[mark] = array
        pieces += (body[done:start], f'"{mark}"'.encode())
        done = end
    return b"".join((*pieces, body[done:])), arrays


def _spans(body: bytes) -> Iterator[tuple[int, int]]:
    """Yield from where to where a long list under `float32` may go: up to the first bracket that closes."""
    place = body.find(_KEY)
    while place >= 0:
        head = _HEAD.match(body, place)
        end = place + len(_KEY)
        if head:
            end = body.find(b"]", head.end()) + 1
            # Without a bracket here there is none for what follows. And vectors of one request are of one length.
            if end - head.end() < _LONG:
                return
            yield head.end(), end
        place = body.find(_KEY, end)


def _array(text: bytes) -> Float32 | None:
    """Return a JSON list of numbers as float32, None for any other text."""
    import simdjson

    try:
        numbers = cast(simdjson.Array, simdjson.Parser().parse(text)).as_buffer(of_type="d")
    except (ValueError, TypeError, RuntimeError):  # not JSON; not numbers; an integer of more than 64 bits
        return None
    with np.errstate(over="ignore"):
        return np.frombuffer(numbers, np.float64).astype(np.float32)


def _put_back(document: Any, arrays: Arrays) -> None:
    if isinstance(document, dict):
        vectors = document.get("vectors")
        for item in vectors if isinstance(vectors, list) else ():
            _put_one_back(item, "data", arrays)
        _put_one_back(document, "queryVector", arrays)


def _put_one_back(holder: Any, name: str, arrays: Arrays) -> None:
    data = holder.get(name) if isinstance(holder, dict) else None
    if isinstance(data, dict) and isinstance(data.get("float32"), str):
        data["float32"] = arrays.pop(data["float32"], data["float32"])
