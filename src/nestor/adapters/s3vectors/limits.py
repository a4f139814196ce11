"""The service's limits on what Nestor sends, and the size of metadata as the service counts it; pure."""

import math
from collections.abc import Iterable
from typing import Final

from nestor.domain import Metadata
from nestor.errors import InvalidInput

NON_FILTERABLE: Final = ("source_uri", "text", "code")
"""The metadata keys that every index of Nestor declares non-filterable: carried and returned, never searched by."""

ROWS: Final = 500
"""Vectors in one PutVectors, keys in one DeleteVectors."""
GET_KEYS: Final = 100
"""Keys in one GetVectors."""
BODY_BYTES: Final = 20 * 1024 * 1024
TOP_K: Final = 10_000
LIST_PAGE: Final = 1_000
KEY_BYTES: Final = 1_024
METADATA_KEYS: Final = 50
METADATA_BYTES: Final = 40_960
FILTERABLE_BYTES: Final = 2_048

_BASE, _ENTRY, _ELEMENT, _NUMBER = 4, 8, 4, 4
"""The service's byte model: see metadata_size."""


def metadata_size(metadata: Metadata, *, without: Iterable[str] = ()) -> int:
    """Return the bytes that the service counts for this metadata, the keys in `without` left aside.

    4, and for each entry 8 + the key's UTF-8 bytes + the value: a string its UTF-8 bytes, a number 4, a boolean 0,
    a list 4 more than its size for each element. Raises InvalidInput for a value that the service would refuse.
    """
    left_aside = frozenset(without)
    return _BASE + sum(
        _ENTRY + _text_size(key) + _value_size(value, key=key)
        for key, value in metadata.items()
        if key not in left_aside
    )


def check_row(key: str, metadata: Metadata) -> None:
    """Raise InvalidInput, naming the key, when the service would refuse the key or the metadata; nothing is trimmed."""
    if not 1 <= _text_size(key) <= KEY_BYTES:
        raise InvalidInput(f"The key {key[:80]!r} must have 1 to {KEY_BYTES:,} bytes.")
    try:
        _check_metadata(metadata)
    except InvalidInput as error:
        raise InvalidInput(f"The metadata of key {key!r} cannot be stored: {error}") from error


def _check_metadata(metadata: Metadata) -> None:
    if len(metadata) > METADATA_KEYS:
        raise InvalidInput(f"it has {len(metadata)} entries; the limit is {METADATA_KEYS}.")
    total = metadata_size(metadata)
    if total > METADATA_BYTES:
        raise InvalidInput(f"it has {total:,} bytes; the limit is {METADATA_BYTES:,}. Shorten the text.")
    filterable = metadata_size(metadata, without=NON_FILTERABLE)
    if filterable > FILTERABLE_BYTES:
        raise InvalidInput(
            f"it has {filterable:,} bytes to filter by (all but {', '.join(NON_FILTERABLE)}); "
            f"the limit is {FILTERABLE_BYTES:,}. Use fewer or shorter tags."
        )


def _value_size(value: object, *, key: str) -> int:
    if not isinstance(value, list):
        return _scalar_size(value, key=key)
    kinds = {str if isinstance(element, str) else float for element in value}
    if len(kinds) != 1 or any(isinstance(element, bool) for element in value):
        raise InvalidInput(f"the list under {key!r} must hold only strings or only numbers, and at least one.")
    return sum(_ELEMENT + _scalar_size(element, key=key) for element in value)


def _scalar_size(value: object, *, key: str) -> int:
    if isinstance(value, str):
        return _text_size(value)
    if isinstance(value, bool):
        return 0
    if isinstance(value, int | float) and math.isfinite(value):
        return _NUMBER
    raise InvalidInput(
        f"the value under {key!r} is {value!r}; strings, finite numbers, booleans and lists are allowed."
    )


def _text_size(text: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        raise InvalidInput(f"{text[:80]!r} is not valid Unicode text.") from error
