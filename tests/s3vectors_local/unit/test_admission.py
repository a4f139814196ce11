import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from s3vectors_local import limits
from s3vectors_local.admission import Admission, ClientGone, Intake
from s3vectors_local.errors import RequestTimeoutException, TooManyRequestsException


class Sender:
    """What uvicorn would hand over."""

    def __init__(self, *chunks: bytes, end: bool = True) -> None:
        """Send these, and then the end, or nothing more."""
        self.messages: list[Mapping[str, Any]] = [
            {"type": "http.request", "body": chunk, "more_body": not end or place < len(chunks) - 1}
            for place, chunk in enumerate(chunks)
        ]

    async def __call__(self) -> Mapping[str, Any]:
        """Give the next."""
        if not self.messages:
            await asyncio.sleep(20)
        return self.messages.pop(0)


async def _read(intake: Intake, sender: Sender) -> bytes | None:
    async with intake.body(sender) as body:
        return body


def test_body() -> None:
    """The chunks make the body; one over the limit of the service is none; nothing stays counted."""
    intake = Intake(seconds=5)
    assert asyncio.run(_read(intake, Sender(b"a", b"", b"bc"))) == b"abc"
    assert asyncio.run(_read(intake, Sender(b"x" * limits.BODY_BYTES, b"y"))) is None
    assert intake._held == 0


def test_slow_body() -> None:
    """A body that does not come in time is 408; a client that goes away is gone."""
    intake = Intake(seconds=0.05)
    with pytest.raises(RequestTimeoutException):
        asyncio.run(_read(intake, Sender(b"a", end=False)))
    sender = Sender(b"a", end=False)
    sender.messages.append({"type": "http.disconnect"})
    with pytest.raises(ClientGone):
        asyncio.run(_read(intake, sender))
    assert intake._held == 0


def test_bytes_at_once() -> None:
    """All bodies together are bounded; one that is done makes room."""

    async def scenario() -> None:
        intake = Intake(seconds=5, held_bytes=10)
        async with intake.body(Sender(b"123456")):
            with pytest.raises(TooManyRequestsException):
                await _read(intake, Sender(b"12345"))
            assert await _read(intake, Sender(b"1234")) == b"1234"
        assert await _read(intake, Sender(b"1234567890")) == b"1234567890"
        assert intake._held == 0

    asyncio.run(scenario())


def test_failed_work_makes_room() -> None:
    """Work that raises gives its place back."""

    async def scenario() -> None:
        admission = Admission(running=1, waiting=0)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await admission.run(lambda: 1 // 0)
        assert (admission.running, admission.waiting) == (0, 0)
        admission.close()

    asyncio.run(scenario())
