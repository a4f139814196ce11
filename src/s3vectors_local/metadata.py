"""What metadata a vector may carry, and how many bytes it counts."""

from collections.abc import Collection, Mapping
from math import isfinite
from typing import Any

from s3vectors_local import limits
from s3vectors_local.errors import InvalidRecord
from s3vectors_local.model import Metadata

# probe: this model reproduces the service's decisions at both limits to the byte.
_OBJECT = 4
_ENTRY = 8
_ELEMENT = 4
_NUMBER = 4
_WHOLE = (-(2**63), 2**64 - 1)  # what JSON is written with


def check(metadata: Metadata, *, non_filterable: Collection[str], key: str, path: str) -> None:
    """Raise InvalidRecord where the metadata of the vector `key` breaks a rule; `path` is its place in the request."""
    reason = _fault(metadata, non_filterable)
    if reason:
        raise InvalidRecord(reason, key=key, path=path)


def size(metadata: Metadata) -> int:
    """Return the bytes that the service counts."""
    return _OBJECT + sum(_ENTRY + len(name.encode()) + _value_size(value) for name, value in metadata.items())


def _value_size(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, bool):
        return 0
    if isinstance(value, list):
        return sum(_ELEMENT + _value_size(element) for element in value)
    return _NUMBER


def _fault(metadata: Any, non_filterable: Collection[str]) -> str | None:
    if not isinstance(metadata, Mapping):
        return "Metadata must be an object"
    if len(metadata) > limits.METADATA_KEYS:
        return f"Metadata object must have at most {limits.METADATA_KEYS} keys"
    for value in metadata.values():
        reason = _value_fault(value)
        if reason:
            return reason
    return _size_fault(metadata, non_filterable)


def _value_fault(value: Any) -> str | None:
    if isinstance(value, str | bool) or _is_number(value):
        return None
    if not isinstance(value, list):
        return "Metadata values must be strings, numbers, booleans, or arrays"
    if not value:
        return "Empty arrays are not allowed in metadata"
    kinds = set(map(type, value))
    if kinds == {str} or (kinds <= {int, float} and all(map(_is_number, value))):
        return None
    return "Metadata array values must be strings or numbers"


def _is_number(value: Any) -> bool:
    # JSON has larger ones, but they are read as floats: only a caller in this process could send one.
    return _WHOLE[0] <= value <= _WHOLE[1] if isinstance(value, int) else isinstance(value, float) and isfinite(value)


def _size_fault(metadata: Metadata, non_filterable: Collection[str]) -> str | None:
    total = size(metadata)
    if total > limits.METADATA_BYTES:
        return f"Metadata object must have at most {limits.METADATA_BYTES} bytes"
    if total > limits.FILTERABLE_BYTES:
        filterable = {name: value for name, value in metadata.items() if name not in non_filterable}
        if size(filterable) > limits.FILTERABLE_BYTES:
            return f"Filterable metadata must have at most {limits.FILTERABLE_BYTES} bytes"
    return None
