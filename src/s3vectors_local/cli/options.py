"""What the commands share: options, exit codes, opening the data, printing."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from s3vectors_local.engine import Engine

DAMAGED, LOCKED, UNUSABLE, NO_ADDRESS, NO_SERVER, NO_CREDENTIALS, REFUSED = 1, 3, 4, 5, 6, 7, 8

data = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".s3vectors"),
    show_default=True,
    help="Folder of the data.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@contextmanager
def opened(folder: Path, **options: Any) -> Iterator["Engine"]:
    """Give the engine over a folder; end the program with a word and an exit code where it cannot be used."""
    from s3vectors_local.engine import open_engine
    from s3vectors_local.errors import ServiceError, StoreError, StoreLocked

    try:
        with open_engine(folder, **options) as engine:
            yield engine
    except StoreLocked as error:
        fail(error, LOCKED)
    except StoreError as error:
        fail(error, UNUSABLE)
    except ServiceError as error:
        fail(error, REFUSED)


def everything(lister: Callable[..., Any], *args: Any) -> Iterator[Any]:
    """Yield the items of all pages."""
    token = None
    while True:
        page = lister(*args, token=token)
        yield from page.items
        token = page.next_token
        if token is None:
            return


def all_indexes(engine: "Engine") -> Iterator[Any]:
    """Yield the indexes of all buckets."""
    for bucket in everything(engine.list_buckets):
        yield from everything(engine.list_indexes, bucket.name)


def show(value: Any, text: str, *, as_json: bool) -> None:
    """Print a value as JSON, or as text."""
    click.echo(json.dumps(value) if as_json else text)


def fail(reason: object, code: int) -> NoReturn:
    """End the program with a word on stderr."""
    click.echo(f"s3vectors-local: {reason}", err=True)
    sys.exit(code)
