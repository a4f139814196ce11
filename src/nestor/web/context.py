"""What every route has at hand, and the threads in which it waits for what blocks."""

import asyncio
import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from starlette.requests import HTTPConnection

from nestor import media
from nestor.answer import Answers
from nestor.chat import Chat
from nestor.domain import Manifest
from nestor.library import Library
from nestor.moments import path_of
from nestor.ports import Embedder, Manifests, Thumbnails, Vectors
from nestor.refusals import Refused
from nestor.search import Search
from nestor.strategies import Strategy
from nestor.uploads import Uploads
from nestor.web.flowing import Flows
from nestor.web.limits import Limits
from nestor.web.tokens import Tokens

P = ParamSpec("P")
T = TypeVar("T")


class MetricsText(Protocol):
    """What was counted."""

    def text(self) -> str:
        """Return it in the text format of Prometheus."""
        ...


class Parts(Protocol):
    """What the API needs: `Nestor` has it all; where there is no folder, `uploads` is None."""

    @property
    def answers(self) -> Answers:
        """Questions to answers."""
        ...

    @property
    def chat(self) -> Chat:
        """Questions to answers with citations."""
        ...

    @property
    def search(self) -> Search:
        """Questions to hits."""
        ...

    @property
    def library(self) -> Library:
        """What is stored."""
        ...

    @property
    def manifests(self) -> Manifests:
        """What is stored, by asset."""
        ...

    @property
    def thumbnails(self) -> Thumbnails:
        """Pictures of segments."""
        ...

    @property
    def vectors(self) -> Vectors:
        """The indexes."""
        ...

    @property
    def embedder(self) -> Embedder:
        """The embedder of files and questions."""
        ...

    @property
    def metrics(self) -> MetricsText:
        """What was counted."""
        ...

    @property
    def uploads(self) -> Uploads | None:
        """What takes files in; None where nothing may be written."""
        ...

    def strategy(self, name: str | None = None, *, coarse: int = ..., candidates: int = ...) -> Strategy:
        """Return the strategy of that name. Raises InvalidInput."""
        ...

    def read_options(self) -> media.ReadOptions:
        """Return how files are read."""
        ...


def lies_here(manifest: Manifest) -> bool:
    """Say whether the asset's file is on this machine."""
    return (path := path_of(manifest.uri)) is not None and path.is_file()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to serve."""

    tokens: Tokens | None = None
    """Who has one of these may come in; None lets everybody in who reaches the address."""
    hosts: frozenset[str] | None = frozenset({"localhost", "127.0.0.1", "::1"})
    """Names that this server may be called by, in lower case; None for any."""
    origins: frozenset[str] = frozenset()
    """Other pages that may ask, such as `https://example.org`."""
    limits: Limits = field(default_factory=Limits)
    shown: Sequence[tuple[str, str]] = ()
    """Settings that the page shows: name and value."""
    page: bool = True
    """Serve the page beside the API."""
    reports: Path | None = None
    """Folder of the reports that the page lists."""
    streams: bool = True
    """Answers can be sent piece by piece."""
    holds: Callable[[Manifest], bool] = lies_here
    """Whether an asset's own file can be had from here."""
    log: Callable[[str], None] | None = None
    """Is told a line for every answer."""


class Threads:
    """So many at work, so many waiting. Used from one event loop."""

    def __init__(self, *, running: int, waiting: int, name: str) -> None:
        """Start none yet."""
        self._most = running + waiting
        self._admitted = 0
        self._pool = ThreadPoolExecutor(running, thread_name_prefix=f"nestor-{name}")

    async def run(self, work: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
        """Do the work in a thread when one is free. Raises Refused at once when too many wait."""
        with self._place():
            return await asyncio.get_running_loop().run_in_executor(self._pool, functools.partial(work, *args, **more))

    def close(self) -> None:
        """Begin nothing more; what runs ends by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self._admitted >= self._most:
            raise Refused(503, "Busy", "Too many questions at once. Try again in a moment.")
        self._admitted += 1
        try:
            yield
        finally:
            self._admitted -= 1


class Context:
    """The parts, the options, and the threads of one application."""

    def __init__(self, nestor: Parts, options: Options) -> None:
        """Begin."""
        self.nestor = nestor
        self.options = options
        self.limits = options.limits
        self.closing = threading.Event()
        """Set when streams are to end."""
        self.streams = 0
        limits = options.limits
        self._questions = Threads(running=limits.running, waiting=limits.waiting, name="question")
        self.flows = Flows(running=limits.chats, waiting=limits.waiting, closing=self.closing)
        self._files = Threads(running=limits.reading, waiting=limits.reading_waiting, name="file")

    @property
    def uploads(self) -> Uploads:
        """What takes files in. Raises Refused where nothing may be written."""
        if self.nestor.uploads is None:
            raise Refused(403, "ReadOnly", "This server only reads: nothing can be uploaded or removed here.")
        return self.nestor.uploads

    async def run(self, work: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
        """Do what blocks in a thread. Raises Refused when too many wait."""
        return await self._questions.run(work, *args, **more)

    async def read(self, work: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
        """Do what starts a reader process in a thread. Raises Refused when too many wait."""
        return await self._files.run(work, *args, **more)

    def open(self) -> None:
        """Open all parts, so that no two threads do it at once, and begin to work on uploads."""
        for name in ("manifests", "thumbnails", "vectors", "embedder", "search", "answers", "library", "metrics"):
            getattr(self.nestor, name)
        if self.nestor.uploads is not None:
            self.nestor.uploads.start()

    def close(self) -> None:
        """End what goes on in the background."""
        self.closing.set()
        self._questions.close()
        self._files.close()


def context(request: HTTPConnection) -> Context:
    """Return the context of the application that answers the request."""
    found: Any = request.app.state.context
    return cast(Context, found)
