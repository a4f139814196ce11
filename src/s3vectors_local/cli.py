"""The command line: s3vectors-local serve, inspect, verify.

Exit codes: 0 done; 1 `verify` found damage; 2 wrong usage; 3 another process writes to the data; 4 the data cannot be
used; 5 the address cannot be bound; 6 the server extra is not installed.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    import socket

    from s3vectors_local.engine import Engine

_DAMAGED, _LOCKED, _UNUSABLE, _NO_ADDRESS, _NO_SERVER = 1, 3, 4, 5, 6

_data = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".s3vectors"),
    show_default=True,
    help="Folder of the data.",
)
_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(epilog="Exit codes: 1 damage found, 2 usage, 3 locked by another process, 4 unusable data, 5 address.")
def main() -> None:
    """Run an embedded engine that speaks the Amazon S3 Vectors API."""


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Loopback address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0 picks a free one.")
@click.option("--region", default="us-east-1", show_default=True, help="Region in ARNs.")
@click.option("--account", default="000000000000", show_default=True, help="Account in ARNs, 12 digits.")
@_data
@_as_json
def serve(host: str, port: int, region: str, account: str, data: Path, as_json: bool) -> None:
    """Serve the API over HTTP until SIGINT or SIGTERM.

    There is no authentication yet, so only loopback addresses are accepted.
    """
    if not _is_loopback(host):
        raise click.UsageError(f"{host} is not a loopback address, and there is no authentication yet")
    if len(account) != 12 or not account.isdigit():
        raise click.UsageError("--account takes 12 digits")
    with _engine(data, region=region, account=account) as engine, _listening(host, port) as listener:
        url = _url(listener)
        _print({"url": url, "data": str(data)}, f"Serving {data} at {url}", as_json=as_json)
        _serve(engine, listener)


@main.command()
@_data
@_as_json
def inspect(data: Path, as_json: bool) -> None:
    """Show buckets and indexes; also while a server writes."""
    with _engine(data, read_only=True) as engine:
        rows = [_row(index) for bucket in _all(engine.list_buckets) for index in _indexes(engine, bucket.name)]
    lines = ["{bucket}/{index}  {vectors} vectors  {dimension} {metric} {mode}".format(**row) for row in rows]
    _print(rows, "\n".join(lines) or "No indexes.", as_json=as_json)


@main.command()
@_data
@_as_json
def verify(data: Path, as_json: bool) -> None:
    """Read everything and check that it holds together; also while a server writes. Exit code 1 tells of damage."""
    from s3vectors_local.errors import StoreFailed

    with _engine(data, read_only=True) as engine:
        try:
            faults = engine.verify()
        except StoreFailed as error:
            faults = [str(error)]
    _print({"faults": faults}, "\n".join(faults) or "No damage found.", as_json=as_json)
    if faults:
        sys.exit(_DAMAGED)


@contextmanager
def _engine(data: Path, **options: Any) -> Iterator["Engine"]:
    from s3vectors_local.engine import open_engine
    from s3vectors_local.errors import StoreError, StoreLocked

    try:
        with open_engine(data, **options) as engine:
            yield engine
    except StoreLocked as error:
        _fail(error, _LOCKED)
    except StoreError as error:
        _fail(error, _UNUSABLE)


@contextmanager
def _listening(host: str, port: int) -> Iterator["socket.socket"]:
    import socket

    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        _fail(f"cannot listen on {host}:{port}: {error.strerror}", _NO_ADDRESS)
    with listener:
        yield listener


def _serve(engine: "Engine", listener: "socket.socket") -> None:
    import signal

    try:
        import uvicorn
    except ImportError:
        _fail("serving needs the server extra: pip install 'nestor[server]'", _NO_SERVER)
    from s3vectors_local.server import app

    # uvicorn finishes what it is answering, then raises the signal again; the second time it means nothing more.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    config = uvicorn.Config(app(engine), log_level="warning", access_log=False, timeout_graceful_shutdown=10)
    uvicorn.Server(config).run(sockets=[listener])


def _all(lister: Callable[..., Any], *args: Any) -> Iterator[Any]:
    token = None
    while True:
        page = lister(*args, token=token)
        yield from page.items
        token = page.next_token
        if token is None:
            return


def _indexes(engine: "Engine", bucket: str) -> Iterator[Any]:
    return _all(engine.list_indexes, bucket)


def _row(index: Any) -> dict[str, Any]:
    return {
        "bucket": index.bucket,
        "index": index.name,
        "vectors": index.count,
        "dimension": index.dimension,
        "metric": str(index.metric),
        "mode": str(index.mode),
    }


def _is_loopback(host: str) -> bool:
    import ipaddress

    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _url(listener: "socket.socket") -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _print(value: Any, text: str, *, as_json: bool) -> None:
    import json

    click.echo(json.dumps(value) if as_json else text)


def _fail(reason: object, code: int) -> NoReturn:
    click.echo(f"s3vectors-local: {reason}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
