"""What was asked and answered so far."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nestor.chat.limits import REMEMBERED_CHARACTERS, TURNS
from nestor.moments import Moment


@dataclass(frozen=True, slots=True)
class Turn:
    """One question and what was answered."""

    question: str
    query: str
    """What was searched for."""
    answer: str
    """At most the first 2,000 characters."""
    moments: tuple[Moment, ...] = ()
    """Of the passages, in the order of their numbers."""


class Conversation:
    """The last turns, 8 at most; give each person a conversation of their own."""

    def __init__(self, turns: Iterable[Turn] = ()) -> None:
        """Begin with these."""
        self._turns: deque[Turn] = deque(turns, maxlen=TURNS)

    @property
    def turns(self) -> Sequence[Turn]:
        """Oldest first."""
        return tuple(self._turns)

    @property
    def last(self) -> Turn | None:
        """The latest turn, None at the beginning."""
        return self._turns[-1] if self._turns else None

    def keep(self, question: str, *, query: str, answer: str, moments: Sequence[Moment]) -> None:
        """Remember a turn, and forget the oldest where there are too many."""
        self._turns.append(Turn(question, query, answer[:REMEMBERED_CHARACTERS], tuple(moments)))
