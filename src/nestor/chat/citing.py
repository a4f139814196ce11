"""A model's words made safe to show: citations resolved, links and pictures taken out; pure.

Whoever wrote a passage may have told the model what to write. What could carry a conversation elsewhere is an address
that somebody's page loads or a reader clicks: so markup of links, pictures and tags loses its target always, and a bare
address stays only where a passage holds it, to the letter.
"""

import re

_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)
"""Terminals obey some, readers cannot see the others, and a model reads them: escapes, overrides of direction, tags."""
_LINK = re.compile(r"!?\[([^\[\]]*)\](?:\([^()]*(?:\([^()]*\)[^()]*)*\)|\[(?!\s*\d)[^\[\]]*\])")
_TAG = re.compile(r"</?[a-zA-Z][^<>]*[\s/=:][^<>]*>")
_ADDRESS = re.compile(
    r"(?:[a-z][a-z0-9+.-]{1,20}:/|www\.|//[\w-]+\.|\b(?:mailto|javascript|data):)[^\s<>\"'\])]+", re.IGNORECASE
)
_CITATION = re.compile(r" ?[\[【]\s*(\d{1,4}(?:\s*[,;]\s*\d{1,4})*)\s*(?:†[^\]】]{0,40})?[\]】]")
_OPEN = re.compile(r"(?: ?!?\[[^\[\]]*(?:\](?:[(\[][^()\[\]]*)?)?| ?【[^】]*|<[^<>]*| ?[^\s\u2e80-\U0003ffff]+| )\Z")
"""The end of a text that what comes next may make something else of; scripts without spaces do not wait for one."""
_TAG_BEGINS = re.compile(
    r"<(?=/?(?:a|audio|base|embed|form|iframe|img|link|meta|object|script|source|style|svg|video)\b)", re.IGNORECASE
)
_IN_WORD = re.compile(r"[^\s\u2e80-\U0003ffff]")
_WORD_ENDS = re.compile(r"[.,;:!?)]?(?:\s|\Z)")
_BESIDE_A_MARK = re.compile(r"(?:\]:|[=(<\"'])\s*\Z")
_HELD = 2_000
"""Characters that may wait for the end of a link; no link is so long."""
REMOVED = "(address removed)"


def plain(text: str) -> str:
    """Return the text without control characters, line feeds and tabs kept."""
    return _CONTROLS.sub("", text)


class Citing:
    """Takes an answer piece by piece and gives it back safe to show, a word or so later."""

    def __init__(self, passages: int, *, sources: str = "") -> None:
        """Citations may be of 1 to `passages`; addresses in `sources` may stay."""
        self.numbers: list[int] = []
        """Cited so far, each once."""
        self.removed_citations = 0
        self.removed_links = 0
        self._passages = passages
        self._sources = sources
        self._held = ""
        self._before = ""

    def feed(self, piece: str) -> str:
        """Return what of the answer is now certain; may be empty."""
        self._held += plain(piece)
        cut = _certain(self._held) if len(self._held) <= _HELD else len(self._held)
        ready, self._held = self._held[:cut], self._held[cut:]
        return self._mended(ready)

    def end(self) -> str:
        """Return the rest."""
        ready, self._held = self._held, ""
        return self._mended(ready)

    def _mended(self, text: str) -> str:
        before = None
        while before != text:  # what is taken out may leave a link behind that was hidden around it
            before = text
            text = _CITATION.sub(self._cited, _TAG.sub(self._nothing, _LINK.sub(self._label, text)))
        text = _unmarked(_ADDRESS.sub(self._address, text), after=self._before)
        self._before = (self._before + text)[-8:]
        return text

    def _nothing(self, _: re.Match[str]) -> str:
        self.removed_links += 1
        return ""

    def _label(self, match: re.Match[str]) -> str:
        self.removed_links += 1
        label = match[1]
        return f"[{label}]" if re.fullmatch(r"[\d\s,;]+", label) else label

    def _address(self, match: re.Match[str]) -> str:
        before = self._before + match.string[: match.start()]
        written = match[0].rstrip(".,;:!?")
        alone = not before or before[-1].isspace()
        if alone and not _BESIDE_A_MARK.search(before) and self._holds(written):
            return match[0]
        self.removed_links += 1
        return REMOVED + match[0][len(written) :]

    def _holds(self, address: str) -> bool:
        """Say whether a passage holds the whole address, not only one that begins like it."""
        return re.search(re.escape(address) + r"(?![\w/?#&=%+-])", self._sources) is not None

    def _cited(self, match: re.Match[str]) -> str:
        asked = [int(number) for number in re.findall(r"\d+", match[1])]
        known = [number for number in dict.fromkeys(asked) if 1 <= number <= self._passages]
        self.removed_citations += sum(not 1 <= number <= self._passages for number in asked)
        self.numbers += [number for number in known if number not in self.numbers]
        if not known:
            # What stood on both sides must not become one word, such as the name of a host.
            return "" if _WORD_ENDS.match(match.string, match.end()) else " "
        space = " " if match[0].startswith(" ") else ""
        return space + "".join(f"[{number}]" for number in known)


def _unmarked(text: str, *, after: str) -> str:
    """Return the text with what is left of odd markup broken: no link, picture or tag begins in it."""
    joined = after[-1:] + _TAG_BEGINS.sub("< ", text)
    return joined.replace("](", "] (")[len(after[-1:]) :]


def _certain(text: str) -> int:
    """Return how much of the text means the same whatever follows."""
    waiting = _OPEN.search(text)
    cut, before = waiting.start() if waiting else len(text), -1
    while before != cut:
        before = cut
        for form in (_LINK, _TAG, _CITATION):
            cut = min([cut, *(found.start() for found in form.finditer(text) if found.start() < cut < found.end())])
        # Not within a word: what is taken out of it may make an address of the rest.
        while 0 < cut < len(text) and _IN_WORD.match(text, cut) and _IN_WORD.match(text, cut - 1):
            cut -= 1
    return cut
