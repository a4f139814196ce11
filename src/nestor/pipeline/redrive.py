"""What failed, started again."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from nestor.errors import InvalidInput


class Letter(Protocol):
    """One failed piece of work, as it was kept."""

    @property
    def id(self) -> str:
        """Of this failure; another failure of the same work has another."""
        ...

    @property
    def receipt(self) -> str:
        """What deletes it."""
        ...

    @property
    def body(self) -> Mapping[str, Any]:
        """What was kept."""
        ...


class DeadLetters(Protocol):
    """The queue of what failed, and the machine that does it. Every method raises ObjectsError."""

    def take(self, most: int) -> Iterator[Letter]:
        """Yield so many letters; one that is not deleted comes again later."""
        ...

    def start(self, work: Mapping[str, Any], *, name: str) -> None:
        """Start the work; a second start under the same name does nothing."""
        ...

    def delete(self, receipt: str) -> None:
        """Forget the letter of that receipt."""
        ...

    def left(self) -> int:
        """Return about how many are still there."""
        ...


@dataclass(frozen=True, slots=True)
class Redriven:
    """What was done."""

    redriven: int
    left: int
    unknown: int = 0
    """Letters without the event that they were made of; they stay."""


def redrive(letters: DeadLetters, *, most: int = 10) -> Redriven:
    """Start again what at most that many letters tell of; each is deleted once its work is started."""
    if not 1 <= most <= 1_000:
        raise InvalidInput(f"max is {most}; it must be 1 to 1,000.")
    started = unknown = 0
    for letter in letters.take(most):
        event = letter.body.get("input", letter.body)
        detail = event.get("detail") if isinstance(event, dict) else None
        if not isinstance(detail, dict):
            unknown += 1
            continue
        # Told to the planner, so that what failed is not taken for what was done, nor its job for a new one.
        letters.start({"detail": detail | {"redriven": letter.id}}, name=f"redrive-{letter.id}")
        letters.delete(letter.receipt)
        started += 1
    return Redriven(started, letters.left(), unknown)
