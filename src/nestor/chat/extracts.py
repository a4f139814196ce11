"""An answer without a model: the sentences nearest to the question's words, quoted and cited; pure.

A sentence counts by the question's words in it, rare ones among the passages more than common ones. The best passage
always speaks; then the best sentences of all of them, four quotations at most, in the order of the passages.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nestor.chat.citing import Citing
from nestor.chat.events import Passage
from nestor.chat.words import stems, telling

INTRODUCTION = "No chat model is set up. The passages nearest to the question, word for word:\n\n"
QUOTATIONS = 4
QUOTED_CHARACTERS = 400

_END = re.compile(r"(?<=[.!?…])[\"'”)]*\s+|(?<=[。\uff01\uff1f])|\n\s*\n|\n(?=\s*(?:[-*#|]|\d+\.))")
_MARK = re.compile(r"^\s*(?:#{1,6}|[-*])\s+")  # of a heading, of an item of a list


@dataclass(frozen=True, slots=True)
class _Sentence:
    passage: int
    """From 0, the order of the passages."""
    text: str
    score: float


def extracts(question: str, passages: Sequence[Passage]) -> Iterator[str]:
    """Yield the answer in pieces, ready to be shown, with `[n]` after each quotation. There is at least one passage."""
    yield INTRODUCTION
    for sentence in _chosen(question, passages):
        passage = passages[sentence.passage]
        words = f"“{_quotable(sentence.text)}”" if sentence.text else passage.label
        yield f"{words} [{passage.number}]\n"


def _chosen(question: str, passages: Sequence[Passage]) -> list[_Sentence]:
    sentences = _scored(question, passages)
    first = max((each for each in sentences if each.passage == 0), key=lambda each: each.score)
    others = sorted((each for each in sentences if each.score > 0 and each is not first), key=lambda each: -each.score)
    return sorted([first, *others[: QUOTATIONS - 1]], key=lambda each: each.passage)


def _scored(question: str, passages: Sequence[Passage]) -> list[_Sentence]:
    texts = [(place, text) for place, passage in enumerate(passages) for text in _sentences(passage.text) or [""]]
    asked = telling(question)
    held = [asked.intersection(stems(text)) for _, text in texts]
    spread = Counter(stem for each in held for stem in each)
    rarity = {stem: math.log(1 + len(texts) / count) for stem, count in spread.items()}
    return [
        _Sentence(place, text, sum(rarity[stem] for stem in each))
        for (place, text), each in zip(texts, held, strict=True)
    ]


def _sentences(text: str) -> list[str]:
    return [" ".join(_MARK.sub("", part).split()) for part in _END.split(text) if part and any(map(str.isalnum, part))]


def _quotable(text: str) -> str:
    """Return the sentence without what would show, link or cite something in our name."""
    citing = Citing(0, sources=text)
    words = citing.feed(text) + citing.end()
    return words if len(words) <= QUOTED_CHARACTERS else words[: QUOTED_CHARACTERS - 1].rstrip() + "…"
