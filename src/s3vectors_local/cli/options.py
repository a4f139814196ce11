"""What the commands share: options, opening the data, printing."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from s3vectors_local.cli.exits import LOCKED, REFUSED, UNUSABLE, fail

if TYPE_CHECKING:
    from s3vectors_local.engine import Engine


def _folder(_: click.Context, __: click.Parameter, folder: Path) -> Path:
    """Refuse what is there and can be no folder of data. What is not there is left to the command."""
    try:
        os.scandir(folder).close()
        (folder / "..").stat()  # goes through the folder, which is another right than to list it
    except FileNotFoundError:
        if folder.is_symlink():
            raise click.BadParameter(f"{folder} is a link to {folder.readlink()}, which is not there") from None
    except NotADirectoryError:
        raise click.BadParameter(f"{folder} is no folder, or lies in none") from None
    except OSError as error:
        raise click.BadParameter(f"{folder} cannot be read: {error.strerror}") from error
    return folder


data = click.option(
    "--data",
    type=click.Path(path_type=Path),
    callback=_folder,
    default=Path(".s3vectors"),
    show_default=True,
    help="Folder of the data.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@contextmanager
def opened(folder: Path, **options: Any) -> Iterator["Engine"]:
    """Give the engine over a folder; end the program with a word and an exit code where it cannot be used."""
    from s3vectors_local.cli.unusable import reason
    from s3vectors_local.engine import open_engine
    from s3vectors_local.errors import ServiceError, ServiceUnavailableException, StoreError, StoreLocked

    try:
        with open_engine(folder, **options) as engine:
            yield engine
    except StoreLocked as error:
        fail(reason(error, folder), LOCKED)
    except (StoreError, PermissionError) as error:
        fail(reason(error, folder), UNUSABLE)
    except ServiceUnavailableException as error:
        fail(f"{folder}: {error}", UNUSABLE)
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
