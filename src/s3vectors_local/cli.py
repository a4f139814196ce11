"""The command line: s3vectors-local serve, inspect, verify.

Exit codes: 0 done; 1 `verify` found damage; 2 wrong usage; 3 another process writes to the data; 4 the data cannot be
used; 5 the address cannot be bound; 6 the server extra is not installed; 7 the credentials cannot be used.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    import socket

    from s3vectors_local.credentials import Keyring
    from s3vectors_local.engine import Engine
    from s3vectors_local.server import Options

_DAMAGED, _LOCKED, _UNUSABLE, _NO_ADDRESS, _NO_SERVER, _NO_CREDENTIALS = 1, 3, 4, 5, 6, 7
_GRACE_SECONDS = 10  # for what is being answered when the end is asked for

_data = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".s3vectors"),
    show_default=True,
    help="Folder of the data.",
)
_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(
    epilog="Exit codes: 1 damage found, 2 usage, 3 locked by another process, 4 unusable data, 5 address, "
    "6 no server extra, 7 unusable credentials."
)
def main() -> None:
    """Run an embedded engine that speaks the Amazon S3 Vectors API."""


@main.command()
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address; one beyond loopback needs --credentials."
)
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0 picks a free one.")
@click.option("--region", default="us-east-1", show_default=True, help="Region in ARNs and signatures.")
@click.option("--account", default="000000000000", show_default=True, help="Account in ARNs, 12 digits.")
@click.option(
    "--credentials",
    type=click.Path(dir_okay=False, path_type=Path),
    help="JSON file of access keys and their policies; every request must then be signed.",
)
@click.option("--allow-host", multiple=True, help="A further name in the Host header, without credentials; repeatable.")
@click.option("--max-concurrency", type=click.IntRange(1, 1024), help="Requests at once; 8 times as many may wait.")
@click.option(
    "--read-timeout",
    type=click.FloatRange(0, 3600, min_open=True),
    default=60.0,
    show_default=True,
    help="Seconds for a request to arrive.",
)
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--quiet", is_flag=True, help="No line a request on stderr.")
@_data
@_as_json
def serve(  # noqa: PLR0917 - as above
    host: str,
    port: int,
    region: str,
    account: str,
    credentials: Path | None,
    allow_host: tuple[str, ...],
    max_concurrency: int | None,
    read_timeout: float,
    log_format: str,
    quiet: bool,
    data: Path,
    as_json: bool,
) -> None:
    """Serve the API over HTTP until SIGINT or SIGTERM.

    Without --credentials nobody is asked who they are, so only loopback addresses are accepted.
    """
    from importlib.util import find_spec

    from s3vectors_local.names import is_loopback

    if find_spec("uvicorn") is None:
        _fail("serving needs what is not installed: pip install uvicorn", _NO_SERVER)
    exposed = not is_loopback(host)
    if exposed and credentials is None:
        raise click.UsageError(
            f"{host} is not a loopback address, and there is no authentication without --credentials"
        )
    if len(account) != 12 or not (account.isascii() and account.isdigit()):
        raise click.UsageError("--account takes 12 digits")
    keyring = None if credentials is None else _keyring(credentials, region=region, account=account)
    names = frozenset(name.lower() for name in (*allow_host, host))
    with _engine(data, region=region, account=account) as engine, _listening(host, port) as listener:
        url = _url(listener)
        _print({"url": url, "data": str(data)}, f"Serving {data} at {url}", as_json=as_json)
        options = _options(keyring, names, exposed, max_concurrency, read_timeout)
        _serve(engine, listener, options, log=None if quiet else log_format)


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


def _keyring(path: Path, *, region: str, account: str) -> "Keyring":
    from s3vectors_local import credentials

    try:
        return credentials.read(path, region=region, account=account)
    except credentials.CredentialsFault as error:
        _fail(error, _NO_CREDENTIALS)


def _options(
    keyring: "Keyring | None", hosts: frozenset[str], exposed: bool, max_concurrency: int | None, seconds: float
) -> "Options":
    from s3vectors_local.entrance import Entrance
    from s3vectors_local.server import Options, default_concurrency

    entrance = Entrance(keyring, hosts, exposed)
    return Options(entrance, max_concurrency=max_concurrency or default_concurrency(), read_seconds=seconds)


def _serve(engine: "Engine", listener: "socket.socket", options: "Options", *, log: str | None) -> None:
    import signal
    from dataclasses import replace

    import uvicorn

    from s3vectors_local.server import app
    from s3vectors_local.telemetry import Log

    # uvicorn finishes what it is answering, then raises the signal again; the second time it means nothing more.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    writer = Log(sys.stderr, as_json=log == "json") if log else None
    served = app(engine, options=replace(options, log=writer))
    config = uvicorn.Config(served, log_level="warning", access_log=False, timeout_graceful_shutdown=_GRACE_SECONDS)
    uvicorn.Server(config).run(sockets=[listener])
    if writer is not None:
        writer.close()


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
