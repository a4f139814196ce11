"""Whose request it is, told from its bytes as they arrive."""

import re
from typing import Final

from s3vectors_local.pace import BODY_BYTES, is_plain_body

_LINE: Final = b"POST /QueryVectors HTTP/1.1\r\n"
_END: Final = b"\r\n\r\n"
_HEAD_BYTES: Final = 16 * 1024
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]+)[ \t]*(?=\r\n)", re.IGNORECASE)
_UNUSUAL: Final = re.compile(rb"\r\n(?:transfer-encoding|expect|upgrade|content-encoding):", re.IGNORECASE)


def is_for_reader(received: bytes) -> bool | None:
    """Tell whether what begins here is one plain query, whole; None while that cannot be told yet."""
    if not _LINE.startswith(received[: len(_LINE)]):
        return False
    head, end, body = received.partition(_END)
    if not end:
        return None if len(received) <= _HEAD_BYTES else False
    lengths = _LENGTH.findall(head + b"\r\n")
    if len(lengths) != 1 or _UNUSUAL.search(head):
        return False
    length = int(lengths[0])
    if length > BODY_BYTES or len(body) > length:
        return False
    return is_plain_body(body) if len(body) == length else None
