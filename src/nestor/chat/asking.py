"""A question to an answer with citations."""

import secrets
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from nestor.chat import following, prompt
from nestor.chat.citing import Citing, plain
from nestor.chat.conversation import Conversation
from nestor.chat.events import Cited, Done, Event, Mode, Passage, Retrieved, Said
from nestor.chat.extracts import extracts
from nestor.chat.limits import ANSWER_CHARACTERS, PASSAGES, QUESTION_CHARACTERS
from nestor.chat.sources import Sources
from nestor.chat.thresholds import Thresholds
from nestor.domain import FULL_DIMENSION, Filter
from nestor.errors import InvalidInput
from nestor.ports import ChatModel, Usage
from nestor.search import Search
from nestor.strategies.base import Strategy

NOTHING = "Nothing relevant was found in the library for this question."
UNCITED = "The answer cites no passage: check it against the passages."
TOO_LONG = f"The answer was ended after {ANSWER_CHARACTERS:,} characters."
CUT = "The model reached its limit of tokens: the answer is not complete."


@dataclass(slots=True)
class _Answer:
    """One answer as it comes to be."""

    citing: Citing
    mode: Mode
    text: str = ""
    usage: Usage | None = None
    notes: list[str] = field(default_factory=list)
    took_ms: dict[str, float] = field(default_factory=dict)


class Chat:
    """Answers from a library: by a model where there is one, else by quotations."""

    def __init__(
        self,
        *,
        search: Search,
        strategy: Callable[[str | None], Strategy],
        sources: Sources,
        thresholds: Thresholds,
        model: ChatModel | None = None,
        clock: Callable[[], float] = time.perf_counter,
        nonce: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        """Work through these; `strategy` makes the one of a name, the home's own for None."""
        self.model = model
        self.thresholds = thresholds
        self._search = search
        self._strategy = strategy
        self._sources = sources
        self._clock = clock
        self._nonce = nonce

    def ask(
        self,
        conversation: Conversation,
        question: str,
        *,
        strategy: str | None = None,
        dimension: int = FULL_DIMENSION,
        top_k: int = 8,
        where: Filter | None = None,
    ) -> Generator[Event, None, None]:
        """Yield the answer as events (see nestor.chat), and keep the turn in the conversation when it ends.

        An answer that is closed or fails half-way is kept as far as it came.

        Raises InvalidInput at the first event for an empty or too long question and for what a search refuses;
        EmbeddingFailed, VectorsError; ModelFailed, also after some pieces.
        """
        started = self._clock()
        checked = _checked(question, top_k)
        query, note = following.standalone(checked, conversation, model=self.model)
        where = following.narrowed(where, following.meant(checked, conversation.last))
        found = self._found(query, strategy=strategy, dimension=dimension, top_k=top_k, where=where)
        searched = self._clock()
        yield found
        answer = _Answer(self._citing(checked, found.passages), self._mode(found), notes=[note] if note else [])
        answer.took_ms["search"] = _ms(searched - started)
        try:
            for piece in self._pieces(checked, found, conversation, answer):
                answer.took_ms.setdefault("first", _ms(self._clock() - started))
                answer.text += piece
                yield Said(piece)
        finally:
            moments = [passage.moment for passage in found.passages]
            if answer.text:
                conversation.keep(checked, query=query, answer=answer.text, moments=moments)
        answer.took_ms["total"] = _ms(self._clock() - started)
        yield _cited(answer)
        yield self._done(answer)

    def _found(
        self, query: str, *, strategy: str | None, dimension: int, top_k: int, where: Filter | None
    ) -> Retrieved:
        way = self._strategy(strategy)
        found = self._search.ask(self._search.words(query), dimension=dimension, top_k=top_k, where=where, strategy=way)
        threshold = self.thresholds.of(dimension)
        # A distance that is not known is NaN, which is below nothing: such a hit was found by the words themselves.
        relevant = [hit for hit in found.hits if not hit.similarity <= threshold.similarity]
        return Retrieved(
            query=query,
            passages=self._sources.passages(relevant, pictures=self.model is not None and self.model.sees),
            strategy=found.strategy,
            dimension=dimension,
            threshold=threshold.similarity,
            threshold_origin=threshold.origin,
            best=max((hit.similarity for hit in found.hits), default=None),
        )

    def _mode(self, found: Retrieved) -> Mode:
        if not found.passages:
            return Mode.NOTHING_FOUND
        return Mode.EXTRACTIVE if self.model is None else Mode.MODEL

    def _citing(self, question: str, passages: Sequence[Passage]) -> Citing:
        return Citing(len(passages), sources="\n".join([question, *(passage.text for passage in passages)]))

    def _pieces(self, question: str, found: Retrieved, conversation: Conversation, answer: _Answer) -> Iterator[str]:
        if not found.passages:
            yield NOTHING
        elif self.model is None:
            yield from _safe(extracts(question, found.passages), answer)
        else:
            asked = prompt.messages(question, found.passages, turns=conversation.turns, nonce=self._nonce)
            with closing(self.model.stream(asked, system=prompt.SYSTEM)) as pieces:
                yield from _safe(pieces, answer)

    def _done(self, answer: _Answer) -> Done:
        if answer.mode is Mode.MODEL and not answer.citing.numbers:
            answer.notes.append(UNCITED)
        model = self.model.name if self.model is not None and answer.mode is Mode.MODEL else ""
        return Done(
            mode=answer.mode, model=model, usage=answer.usage, took_ms=answer.took_ms, notes=tuple(answer.notes)
        )


def _checked(question: str, top_k: int) -> str:
    words = plain(question).strip()
    if not words:
        raise InvalidInput("The question is empty: ask in some words.")
    if len(words) > QUESTION_CHARACTERS:
        raise InvalidInput(f"The question has {len(words):,} characters; at most {QUESTION_CHARACTERS:,} are allowed.")
    if not 1 <= top_k <= PASSAGES:
        raise InvalidInput(f"top_k is {top_k}; an answer can rest on 1 to {PASSAGES} passages.")
    return words


def _safe(pieces: Iterator[str | Usage] | Iterator[str], answer: _Answer) -> Iterator[str]:
    """Yield the pieces made safe to show; what was counted goes into the answer."""
    room = ANSWER_CHARACTERS
    for piece in pieces:
        if isinstance(piece, Usage):
            answer.usage = piece
            answer.notes += [CUT] if piece.cut else []
            continue
        if shown := answer.citing.feed(piece[:room]):
            yield shown
        room -= len(piece)
        if room <= 0:
            answer.notes.append(TOO_LONG)
            break
    if rest := answer.citing.end():
        yield rest


def _cited(answer: _Answer) -> Cited:
    citing = answer.citing
    return Cited(
        numbers=tuple(citing.numbers),
        removed_citations=citing.removed_citations,
        removed_links=citing.removed_links,
    )


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
