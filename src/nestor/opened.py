"""The Python API: one library, open for as long as a `with` lasts."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from nestor import media
from nestor.domain import DIMENSIONS, FULL_DIMENSION, Filter, Manifest, file_uri
from nestor.errors import HomeUnusable, InvalidInput
from nestor.moments import Moment, described, moment
from nestor.outcome import Labels, Outcome, Report
from nestor.ports import Embedder
from nestor.search import Found
from nestor.segments import Segments
from nestor.settings import Settings
from nestor.where import parse_where
from nestor.wiring import Nestor

Where = str | Sequence[str] | Filter
"""`modality=image`, several such conditions that all hold, or a filter document of S3 Vectors."""


@contextmanager
def open_library(
    home: str | os.PathLike[str] | None = None,
    *,
    read_only: bool = False,
    embedder: Embedder | str | None = None,
) -> "Iterator[OpenLibrary]":
    """Give the library of that home, else of $NESTOR_HOME or ~/.nestor; the environment decides the rest as usual.

    `embedder` is `local`, `nova` or one of your own. One process may write at a time; with `read_only` any number look
    meanwhile, and see what is written. Raises HomeBusy when another one writes, HomeUnusable, InvalidInput when there
    is nothing to read.
    """
    settings = Settings.from_environment(home=None if home is None else Path(home))
    own = None if isinstance(embedder, str) else embedder
    if isinstance(embedder, str):
        settings = replace(settings, embedder=embedder)
    with opened(settings, read_only=read_only, embedder=own) as library:
        yield library


@contextmanager
def opened(settings: Settings, *, read_only: bool, embedder: Embedder | None = None) -> "Iterator[OpenLibrary]":
    """Give the library of these settings. Raises as `open_library` does."""
    # To look at what is not there yet would make it, and hold it as its writer.
    if read_only and settings.vectors == "embedded" and not _was_filled(settings.home):
        raise InvalidInput(f"Nothing was ingested in {settings.home} yet: run `nestor ingest PATH` first.")
    with Nestor(settings, read_only=read_only, embedder=embedder) as nestor:
        yield OpenLibrary(nestor, read_only=read_only)


def _was_filled(home: Path) -> bool:
    try:
        return (home / "vectors").is_dir()
    except OSError as error:
        raise HomeUnusable(f"Cannot use {home}: {error.strerror}.") from error


class OpenLibrary:
    """Files in, moments out. Threads may share it.

    Every method raises NestorError: InvalidInput for an argument that is wrong, EmbeddingFailed, VectorsError. An error
    is never an empty answer.
    """

    def __init__(self, nestor: Nestor, *, read_only: bool) -> None:
        """Work with what is wired; whoever wired it closes it."""
        self._nestor = nestor
        self._read_only = read_only
        # Opened now: what is wrong with the home is told at once, and threads find everything made.
        self._vectors, self._search, self._library = nestor.vectors, nestor.search, nestor.library

    def ingest(
        self,
        paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        *,
        collection: str = "",
        tags: str | Sequence[str] = (),
        jobs: int = 1,
        told: Callable[[Outcome], None] | None = None,
        **options: Any,
    ) -> Report:
        """Embed files and folders, keep them, and return what was done; what is unchanged is skipped.

        One path or one tag may stand without a list around it. The home is left out of folders.

        `told` is called for each file as soon as it is durable. `jobs` processes read; `options` are those of
        ReadOptions, such as segment_seconds. A file that cannot be read is among the report's failures, and the rest go
        on. After any other error the same call again does the rest. Raises InvalidInput for an empty path, and for the
        home itself.
        """
        self._check_writable()
        named = [paths] if isinstance(paths, str | os.PathLike) else paths
        labels, report = Labels(collection, (tags,) if isinstance(tags, str) else tuple(tags)), Report()
        files = media.discover(named, home=self._nestor.settings.home)
        read_options = self._nestor.read_options(**options)
        for outcome in self._nestor.ingest.run(files, labels=labels, options=read_options, jobs=jobs):
            report.add(outcome)
            if told is not None:
                told(outcome)
        return report

    def search(
        self,
        words: str,
        *,
        dimension: int = FULL_DIMENSION,
        top_k: int = 10,
        strategy: str | None = None,
        where: Where | None = None,
    ) -> list[Moment]:
        """Return the moments nearest in meaning to the words, best first; fewer than top_k where fewer match."""
        found = self.found(words, dimension=dimension, top_k=top_k, strategy=strategy, where=where)
        return [moment(hit) for hit in found.hits]

    def search_file(
        self,
        path: str | os.PathLike[str],
        *,
        dimension: int = FULL_DIMENSION,
        top_k: int = 10,
        strategy: str | None = None,
        where: Where | None = None,
    ) -> list[Moment]:
        """Return the moments nearest to what the file holds, as `search` does. Raises UnreadableFile too."""
        found = self._search.ask(
            self._search.file(Path(path), self._nestor.read_options()),
            dimension=dimension,
            top_k=top_k,
            where=filter_of(where),
            strategy=self._nestor.strategy(strategy),
        )
        return [moment(hit) for hit in found.hits]

    def found(
        self,
        words: str,
        *,
        dimension: int = FULL_DIMENSION,
        top_k: int = 10,
        strategy: str | None = None,
        where: Where | None = None,
    ) -> Found:
        """Return what `search` finds as hits, with the milliseconds and requests that it took."""
        return self._search.ask(
            self._search.words(words),
            dimension=dimension,
            top_k=top_k,
            where=filter_of(where),
            strategy=self._nestor.strategy(strategy),
        )

    def compare(
        self, words: str, *, top_k: int = 10, strategy: str | None = None, where: Where | None = None
    ) -> list[Found]:
        """Return the answer of every size that has an index, smallest first."""
        return self._search.ask_all(
            self._search.words(words),
            dimensions=self._nestor.search.sizes() or DIMENSIONS,
            top_k=top_k,
            where=filter_of(where),
            strategy=self._nestor.strategy(strategy),
        )

    def segment(self, key: str) -> Moment:
        """Return the segment of that key, with as much of its text as is stored."""
        # The rows of the larger indexes carry no code, which takes the place of text.
        for dimension in self._nestor.search.sizes()[-1:]:
            found = Segments(self._vectors).one(key, dimension=dimension)
            if found is not None:
                return described(key, found.metadata)
        raise InvalidInput(f"There is no segment {key[:100]!r}: take the key of a search's hit.")

    def picture(self, moment: Moment) -> bytes | None:
        """Return the JPEG of the image, the page or the keyframe; None when none is kept on this machine."""
        return self._nestor.thumbnails.get(moment.object_id, moment.segment)

    def assets(self) -> list[Manifest]:
        """Return what is stored, by asset, ordered by URI."""
        return list(self._library.assets())

    def delete(self, asset: str | os.PathLike[str]) -> Manifest:
        """Remove an asset, given as a path or a URI, from every index and return its manifest; the file stays."""
        self._check_writable()
        given = os.fspath(asset)
        return self._library.delete(given if "://" in given else file_uri(Path(given)))

    def _check_writable(self) -> None:
        if self._read_only:
            raise InvalidInput("The library is open for reading only: open it without read_only to change it.")


def filter_of(where: Where | None) -> Filter | None:
    """Return the filter document. Raises InvalidInput for a condition that cannot be read."""
    if where is None or isinstance(where, str):
        return parse_where([where] if where else [])
    return parse_where(where) if isinstance(where, Sequence) else where
