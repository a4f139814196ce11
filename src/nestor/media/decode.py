"""Bytes to text: UTF-8, UTF-16, else Windows-1252; binary junk is refused. Pure."""

import codecs

_CONTROLS = bytes(code for code in range(32) if code not in b"\t\n\r\x0b\x0c\x1b")
_HIGH = bytes(range(128, 256))
_MAX_CONTROLS = 0.02
_MAX_HIGH = 0.3
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

CUT = "The last character is cut off: the file may be incomplete."
REPLACED = "Some bytes are not UTF-8 and were replaced by \ufffd."
GUESSED = "The text is not UTF-8 and was read as Windows-1252: accented letters may be wrong. Save it as UTF-8."


class NotText(ValueError):
    """These bytes are no text that can be told apart from binary data."""


def decode(data: bytes) -> tuple[str, tuple[str, ...]]:
    """Return the text, without its byte order mark, and what was guessed. Raises NotText."""
    text, warnings = _marked(data) or _utf8(data) or _utf16(data) or _western(data)
    if _controls(text) > _MAX_CONTROLS:
        raise NotText("too many control characters")
    return text, warnings


def is_text(head: bytes, *, whole: bool) -> bool:
    """Say whether a file that begins so is text; `whole` when nothing follows."""
    if not whole:
        head = head[: len(head) & ~3]
    try:
        decode(head)
    except NotText:
        return False
    return True


def _marked(data: bytes) -> tuple[str, tuple[str, ...]] | None:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            text = data[len(mark) :].decode(encoding, "replace")
            return text, ((REPLACED,) if "\ufffd" in text else ())
    return None


def _utf8(data: bytes) -> tuple[str, tuple[str, ...]] | None:
    try:
        return data.decode(), ()
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and error.start:
            return data[: error.start].decode(), (CUT,)
    text = data.decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    right = len(text) - wrong - _ascii(data)
    return (text, (REPLACED,)) if wrong * 2 < right else None


def _ascii(data: bytes) -> int:
    return len(data.translate(None, _HIGH))


def _utf16(data: bytes) -> tuple[str, tuple[str, ...]] | None:
    """UTF-16 without a mark: in most scripts that have spaces, every other byte is often zero."""
    half = len(data) // 2 or 1
    for encoding, zeros in (("utf-16-le", data[1::2].count(0)), ("utf-16-be", data[0::2].count(0))):
        if zeros / half > 0.4:
            try:
                return data[: len(data) & ~1].decode(encoding), ()
            except UnicodeDecodeError:
                return None
    return None


def _western(data: bytes) -> tuple[str, tuple[str, ...]]:
    if len(data) - _ascii(data) > _MAX_HIGH * len(data):
        raise NotText("neither UTF-8 nor a Western encoding")
    try:
        return data.decode("cp1252"), (GUESSED,)
    except UnicodeDecodeError:
        return data.decode("latin-1"), (GUESSED,)


def _controls(text: str) -> float:
    data = text.encode("utf-8", "replace")
    return (len(data) - len(data.translate(None, _CONTROLS))) / max(1, len(data))
