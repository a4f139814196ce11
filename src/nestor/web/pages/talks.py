"""The conversations of the page, as long as they are used.

They are kept here and not in the form: a person goes from a citation to its file and back, and finds the conversation
as it was; and what a browser sends is only a question. A cookie that script cannot read names the conversation. What is
kept is bounded: so many conversations of so many turns, for so long; they end with the server.
"""

import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace

from nestor.chat import Chat, Cited, Conversation, Done, Event, Mode, Passage, Retrieved, Said
from nestor.chat.extracts import INTRODUCTION
from nestor.chat.limits import TURNS
from nestor.refusals import Refused
from nestor.web.pages.wishes import Wish

COOKIE = "nestor-chat"
MOST = 100
"""Conversations; each has at most 8 turns of 64,000 characters, answer and passages together."""
IDLE_SECONDS = 4 * 3600.0
WAIT_SECONDS = 10.0
"""For the answer before, which may just have been stopped, to end."""
_CITATION = re.compile(r"\[(\d{1,4})\]")


@dataclass(slots=True)
class Shown:
    """One turn, as far as it came."""

    question: str
    found: Retrieved | None = None
    answer: str = ""
    cited: Cited | None = None
    done: Done | None = None
    refused: Refused | None = None
    is_over: bool = False

    @property
    def passages(self) -> Sequence[Passage]:
        """What was found, best first."""
        return self.found.passages if self.found is not None else ()

    @property
    def text(self) -> str:
        """The answer as the page shows it: that it is a quotation, the page says by itself."""
        return "" if INTRODUCTION.startswith(self.answer) else self.answer.removeprefix(INTRODUCTION)

    @property
    def sources(self) -> list[Passage]:
        """The passages that the answer cites, in the order of its citations."""
        numbers = dict.fromkeys(int(number) for number in _CITATION.findall(self.answer))
        return [self.passages[number - 1] for number in numbers if 1 <= number <= len(self.passages)]

    @property
    def others(self) -> list[Passage]:
        """The passages that it does not cite."""
        cited = {passage.number for passage in self.sources}
        return [passage for passage in self.passages if passage.number not in cited]

    @property
    def pieces(self) -> list[tuple[str, Passage | None]]:
        """The answer in pieces: text, and citations with the passage that each means."""
        return list(pieces(self.text, self.passages))

    @property
    def is_empty(self) -> bool:
        """Whether nothing relevant was found."""
        return self.done is not None and self.done.mode is Mode.NOTHING_FOUND

    def take(self, event: Event) -> None:
        """Add an event; pictures are not kept."""
        match event:
            case Retrieved():
                self.found = replace(event, passages=tuple(replace(each, picture=None) for each in event.passages))
            case Said(text):
                self.answer += text
            case Cited():
                self.cited = event
            case Done():
                self.done = event


@dataclass(slots=True)
class Talk:
    """One conversation."""

    conversation: Conversation = field(default_factory=Conversation)
    turns: tuple[Shown, ...] = ()
    """Oldest first; replaced as a whole, so that a page may be made of it at any time."""
    _busy: threading.Lock = field(default_factory=threading.Lock)

    def ask(
        self, chat: Chat, wish: Wish, *, told: Callable[[Exception], Refused]
    ) -> Generator[tuple[Shown, Event], None, None]:
        """Yield the turn with each event that it grew by; `told` gives what is shown of an error.

        Raises as Chat.ask does, and Refused while an answer is still being written in this conversation.
        """
        if not self._busy.acquire(timeout=WAIT_SECONDS):
            raise Refused(409, "ChatBusy", "An answer is still being written in this conversation: stop it first.")
        try:
            yield from self._asked(chat, wish, told)
        finally:
            self._busy.release()

    def _asked(
        self, chat: Chat, wish: Wish, told: Callable[[Exception], Refused]
    ) -> Generator[tuple[Shown, Event], None, None]:
        turn = Shown(wish.words.strip())
        strategy, dimension = wish.strategy or None, wish.dimension
        asked = chat.ask(self.conversation, wish.words, strategy=strategy, dimension=dimension, where=wish.where)
        try:
            for event in asked:
                turn.take(event)
                if isinstance(event, Retrieved):
                    self.turns = (*self.turns, turn)[-TURNS:]
                yield turn, event
        except Exception as error:
            turn.refused = told(error)
            raise
        finally:
            asked.close()
            turn.is_over = True


class Talks:
    """The conversations by the names in the cookies. Threads may share it."""

    def __init__(
        self, most: int = MOST, *, idle_seconds: float = IDLE_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Keep so many, each so long after its last use."""
        self._most = most
        self._idle = idle_seconds
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, Talk]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: str) -> Talk | None:
        """Return the conversation of that name, None where there is none, or none any more."""
        with self._lock:
            self._forget_old()
            if name not in self._kept:
                return None
            _, talk = self._kept.pop(name)
            self._kept[name] = self._clock(), talk
            return talk

    def begin(self) -> tuple[str, Talk]:
        """Return a new one and its name, which nobody can guess; the one unused for longest makes room."""
        name, talk = secrets.token_urlsafe(18), Talk()
        with self._lock:
            self._forget_old()
            self._kept[name] = self._clock(), talk
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return name, talk

    def end(self, name: str) -> None:
        """Forget the conversation."""
        with self._lock:
            self._kept.pop(name, None)

    def _forget_old(self) -> None:
        oldest = self._clock() - self._idle
        while self._kept and next(iter(self._kept.values()))[0] < oldest:
            self._kept.popitem(last=False)


def pieces(text: str, passages: Sequence[Passage]) -> Iterator[tuple[str, Passage | None]]:
    """Yield the text in pieces, each citation of a passage with the passage."""
    last = 0
    for match in _CITATION.finditer(text):
        if not 1 <= (number := int(match[1])) <= len(passages):
            continue
        if match.start() > last:
            yield text[last : match.start()], None
        yield match[0], passages[number - 1]
        last = match.end()
    if last < len(text):
        yield text[last:], None
