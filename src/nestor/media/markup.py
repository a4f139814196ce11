"""HTML to the text a reader would see."""

import re
from html import unescape
from html.parser import HTMLParser

_HIDDEN = {"script", "style", "template", "noscript", "svg", "math", "object"}
_INLINE = {
    *("a", "abbr", "b", "bdi", "bdo", "cite", "code", "data", "del", "dfn", "em", "font", "i", "ins", "kbd", "label"),
    *("mark", "q", "s", "samp", "small", "span", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr", "img"),
}
_KEPT = {"pre", "textarea"}
_SPACES = re.compile(r"[ \t\r\f\v\n]+")
_TAG = re.compile(r"<[^<>]*>")


class _Visible(HTMLParser):
    """Collects text; block elements begin on a line of their own."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden: list[str] = []
        self._kept = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _HIDDEN:
            self._hidden.append(tag)
        if self._hidden:
            return
        self._kept += tag in _KEPT
        self._block(tag)
        self.parts.extend(value for name, value in attrs if name == "alt" and value)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _HIDDEN:
            self.handle_starttag(tag, attrs)
            self._kept -= tag in _KEPT

    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            if tag == self._hidden[-1]:
                self._hidden.pop()
            return
        self._kept = max(0, self._kept - (tag in _KEPT))
        self._block(tag)

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data if self._kept else _SPACES.sub(" ", data))

    def _block(self, tag: str) -> None:
        if tag in {"td", "th"}:
            self.parts.append("\t")
        elif tag not in _INLINE:
            self.parts.append("\n")
        if tag in {"p", "h1", "h2", "h3", "h4", "h5", "h6", "table", "ul", "ol", "section", "article"}:
            self.parts.append("\n")


def visible_text(page: str) -> str:
    """Return what a reader of the page sees: no scripts or styles, one line a block, blank lines between paragraphs."""
    parser = _Visible()
    try:
        parser.feed(page)
        parser.close()
    except AssertionError:  # html.parser, on a declaration that it does not know, such as <![x
        return unescape(_TAG.sub(" ", page)).strip()
    text = "".join(parser.parts)
    text = re.sub(r"[ \t]*\n[ \t]*", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()
