"""Whose request it is, told from its bytes as they arrive."""

import re
from typing import Final

from s3vectors_local.entrance import Headers
from s3vectors_local.pace import BODY_BYTES, is_plain_body

PATH: Final = "/QueryVectors"
"""Of all requests that readers answer; they come by POST."""
_LINE: Final = b"POST %b HTTP/1.1\r\n" % PATH.encode()
_END: Final = b"\r\n\r\n"
_HEAD_BYTES: Final = 16 * 1024
_LENGTH: Final = re.compile(rb"\r\ncontent-length:([^\r\n]*)(?=\r\n)", re.IGNORECASE)
_NUMBER: Final = re.compile(rb"[ \t]*[0-9]{1,9}[ \t]*")
_COMMON: Final = re.compile(rb"(?:[A-Za-z0-9_-]+:[ \t]?(?:[!-~](?:[ -~]*[!-~])?)?\r\n)*")
_CLOSING: Final = re.compile(
    rb"\r\n(?:connection:(?![ \t]*keep-alive\r)|keep-alive:|proxy-connection:|te:|trailer:)", re.IGNORECASE
)
_UNUSUAL: Final = re.compile(rb"\r\n(?:transfer-encoding|expect|upgrade|content-encoding):", re.IGNORECASE)


def plain(received: bytes) -> tuple[Headers, bytes] | None:
    """Return the headers, names in lower case, and the body of one whole plain query; None for an unusual head.

    Unusual is all that only a full parser should judge, and what asks for the connection to be closed.
    """
    head, _, body = received.partition(_END)
    lines = head[len(_LINE) :] + b"\r\n"
    if not _COMMON.fullmatch(lines) or _CLOSING.search(b"\r\n" + lines):
        return None
    pairs = (line.split(":", 1) for line in lines.decode("latin-1").split("\r\n")[:-1])
    return [(name.lower(), value.strip(" \t")) for name, value in pairs], body


def is_for_reader(received: bytes) -> bool | None:
    """Tell whether what begins here is one plain query, whole; None while that cannot be told yet."""
    if not _LINE.startswith(received[: len(_LINE)]):
        return False
    head, end, body = received.partition(_END)
    if not end:
        return None if len(received) <= _HEAD_BYTES else False
    lengths = _LENGTH.findall(head + b"\r\n")
    if len(lengths) != 1 or not _NUMBER.fullmatch(lengths[0]) or _UNUSUAL.search(head):
        return False
    length = int(lengths[0])
    if length > BODY_BYTES or len(body) > length:
        return False
    return is_plain_body(body) if len(body) == length else None
