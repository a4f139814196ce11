"""How hits, tables and progress look in a terminal, and their JSON."""

import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from nestor.domain import Hit

if TYPE_CHECKING:
    from rich.table import Table

T = TypeVar("T")
_DIRECTIONS = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))  # of letters: among them a name reads as another
_CONTROLS = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0), *_DIRECTIONS), "\N{REPLACEMENT CHARACTER}")

_HIT_FIELDS = (
    "modality",
    "file_name",
    "content_type",
    "segment_index",
    "page",
    "start_seconds",
    "end_seconds",
    "start_char",
    "end_char",
    "collection",
    "tags",
    "uploaded_at",
    "object_id",
    "text",
)


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON object on one line."""
    import orjson

    click.echo(orjson.dumps(document, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY).decode())


def say(words: str) -> None:
    """Say something to a person, on stderr."""
    click.echo("\n".join(map(harmless, words.split("\n"))), err=True)


def harmless(text: str) -> str:
    """Return the text on one line, without what a terminal would obey: whoever wrote a file chose its name and text."""
    return text.translate(_CONTROLS)


def hit_document(hit: Hit) -> dict[str, Any]:
    """Return the JSON of one hit; every field is always there, null where it does not apply."""
    return {
        "key": hit.key,
        "similarity": round(hit.similarity, 6),
        "distance": round(hit.distance, 6),
        **({} if hit.score is None else {"score": round(hit.score, 6)}),
        "uri": hit.metadata.get("source_uri"),
        **{name: hit.metadata.get(name) for name in _HIT_FIELDS},
    }


def place_of(hit: Hit) -> str:
    """Return the hit's place in its asset in a few characters: p. 3, 5-10 s, part 2; empty where it is the whole."""
    metadata = hit.metadata
    if "page" in metadata:
        return f"p. {metadata['page']}"
    if "start_seconds" in metadata:
        return f"{_seconds(metadata['start_seconds'])}-{_seconds(metadata['end_seconds'])} s"
    if metadata.get("segment_index"):
        return f"part {int(str(metadata['segment_index'])) + 1}"
    return ""


def _seconds(value: object) -> str:
    return f"{float(str(value)):.1f}".removesuffix(".0")


def name_of(hit: Hit, room: int = 200) -> str:
    """Return the file name and the place in it; the name gives way where both need more than `room` characters."""
    place = place_of(hit)
    name = str(hit.metadata.get("file_name", hit.key))
    return f"{shorten(name, room - len(place) - 1)} {place}" if place else shorten(name, room)


def excerpt(hit: Hit, width: int) -> str:
    """Return the beginning of the hit's text on one line, at most `width` characters."""
    text = harmless(" ".join(str(hit.metadata.get("text", "")).split()))
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"


def width() -> int:
    """Return how many characters fit on a line: the terminal's, $COLUMNS, or 100."""
    return shutil.get_terminal_size((100, 24)).columns


def shorten(text: str, room: int) -> str:
    """Return the text in at most `room` characters, the middle left out: both ends of a file name tell something."""
    text = harmless(text)
    if len(text) <= room:
        return text
    tail = (room - 1) * 2 // 3
    return text[: room - 1 - tail] + "…" + text[-tail:]


def print_table(table: "Table") -> None:
    """Print a table on stdout, without trailing blanks."""
    from rich.console import Console

    console = Console(file=sys.stdout, width=width(), highlight=False)
    with console.capture() as captured:
        console.print(table)
    click.echo("\n".join(line.rstrip() for line in captured.get().split("\n")).strip("\n"))


def table(*columns: str, numbers: Iterable[str] = (), filling: str | None = None) -> "Table":
    """Return an empty table; columns named in `numbers` are set to the right, `filling` takes what room is left."""
    from rich import box
    from rich.table import Table

    right = set(numbers)
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=filling is not None)
    for column in columns:
        made.add_column(
            column,
            justify="right" if column in right else "left",
            overflow="ellipsis",
            no_wrap=True,
            ratio=1 if column == filling else None,
        )
    return made


def bytes_in_words(size: float) -> str:
    """Return a size as people read it: 3.2 MB."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"


def with_progress(items: Iterable[T], *, total: int, label: Callable[[T], str]) -> Iterator[T]:
    """Yield the items under a progress bar on stderr with rate and time left; silent where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        BarColumn(bar_width=30),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=total, rate="")
        for count, item in enumerate(items, start=1):
            rate = count / (progress.tasks[0].elapsed or 1)
            progress.update(task, advance=1, description=label(item), rate=f"{rate:.1f}/s")
            yield item
