"""Parts of a long text in an object, by position, without holding all of it."""

from nestor.ports import Objects


class Excerpts:
    """Reads forward through one UTF-8 text: every cut begins no earlier than the one before. One line is in memory."""

    def __init__(self, objects: Objects, uri: str) -> None:
        """Read this object; nothing is sent yet."""
        self._lines = objects.lines(uri)
        self._text = ""
        self._at = 0
        """The position of the first character of `_text`."""

    def cut(self, start: int, end: int) -> str:
        """Return the characters from start to end, end exclusive; fewer where the text ends."""
        while self._at + len(self._text) < end and (line := next(self._lines, None)) is not None:
            self._drop(start)
            self._text += line.decode("utf-8", "replace") + "\n"
        self._drop(start)
        return self._text[: max(0, end - self._at)]

    def _drop(self, start: int) -> None:
        passed = min(max(0, start - self._at), len(self._text))
        self._text, self._at = self._text[passed:], self._at + passed
