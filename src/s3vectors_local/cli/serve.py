"""The command `serve`."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from s3vectors_local.cli.exits import NO_ADDRESS, NO_CREDENTIALS, NO_SERVER, fail
from s3vectors_local.cli.options import as_json, data, opened, show

if TYPE_CHECKING:
    import socket

    from s3vectors_local.credentials import Keyring
    from s3vectors_local.engine import Engine
    from s3vectors_local.readers.process import Start
    from s3vectors_local.server import Options

_GRACE_SECONDS = 10  # for what is being answered when the end is asked for


@click.command()
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
@click.option("--max-concurrency", type=click.IntRange(1, 1024), help="Requests at once; 256 more may wait.")
@click.option(
    "--readers",
    type=click.IntRange(0, 64),
    help="Processes that answer plain queries beside this one.  [default: one a processor, at most 4; 0 for one]",
)
@click.option(
    "--read-timeout",
    type=click.FloatRange(0, 3600, min_open=True),
    default=60.0,
    show_default=True,
    help="Seconds for a request to arrive.",
)
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--quiet", is_flag=True, help="No line a request on stderr.")
@data
@as_json
def serve(  # noqa: PLR0917 - as above
    host: str,
    port: int,
    region: str,
    account: str,
    credentials: Path | None,
    allow_host: tuple[str, ...],
    max_concurrency: int | None,
    readers: int | None,
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
        fail("serving needs what is not installed: pip install uvicorn", NO_SERVER)
    from s3vectors_local.readers.pool import default_count
    from s3vectors_local.readers.process import Start

    exposed = not is_loopback(host)
    if exposed and credentials is None:
        raise click.UsageError(
            f"{host} is not a loopback address, and there is no authentication without --credentials"
        )
    if len(account) != 12 or not (account.isascii() and account.isdigit()):
        raise click.UsageError("--account takes 12 digits")
    if len(region) > 63 or not re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", region):
        raise click.UsageError("--region takes lower-case letters and digits, with hyphens between, 63 at most")
    if readers:
        _check_readers()
    keyring = None if credentials is None else _keyring(credentials, region=region, account=account)
    names = frozenset(name.lower() for name in (*allow_host, host))
    with opened(data, region=region, account=account) as engine, _listening(host, port) as listener:
        url = _url(listener)
        show({"url": url, "data": str(data)}, f"Serving {data} at {url}", as_json=as_json)
        options = _options(keyring, names, exposed, max_concurrency, read_timeout)
        start = Start(data, region, account, options, _GRACE_SECONDS)
        count = default_count() if readers is None else readers
        _serve(engine, listener, start, readers=count, log=None if quiet else log_format)


def _check_readers() -> None:
    from s3vectors_local.readers.channel import pair

    try:
        ends = pair()
    except OSError as error:
        raise click.UsageError(f"--readers takes 0 on this system: {error.strerror}") from error
    for end in ends:
        end.close()


@contextmanager
def _listening(host: str, port: int) -> Iterator["socket.socket"]:
    import socket

    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        fail(f"cannot listen on {host}:{port}: {error.strerror}", NO_ADDRESS)
    with listener:
        yield listener


def _keyring(path: Path, *, region: str, account: str) -> "Keyring":
    from s3vectors_local import credentials

    try:
        return credentials.read(path, region=region, account=account)
    except credentials.CredentialsFault as error:
        fail(error, NO_CREDENTIALS)


def _options(
    keyring: "Keyring | None", hosts: frozenset[str], exposed: bool, max_concurrency: int | None, seconds: float
) -> "Options":
    from s3vectors_local.entrance import Entrance
    from s3vectors_local.server import Options, default_concurrency

    entrance = Entrance(keyring, hosts, exposed)
    return Options(entrance, max_concurrency=max_concurrency or default_concurrency(), read_seconds=seconds)


def _serve(engine: "Engine", listener: "socket.socket", start: "Start", *, readers: int, log: str | None) -> None:
    import signal
    from dataclasses import replace

    from s3vectors_local.allocator import give_back_large_arrays
    from s3vectors_local.connection import settings
    from s3vectors_local.readers.process import TELLING_SECONDS
    from s3vectors_local.readers.serving import Writer
    from s3vectors_local.server import app
    from s3vectors_local.telemetry import Log

    # uvicorn finishes what it is answering, then raises the signal again; the second time it means nothing more.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    writer = Log(sys.stderr, as_json=log == "json") if log else None
    told_after = 2 * TELLING_SECONDS if readers else 0.0
    options = replace(start.options, log=writer, told_after=told_after, readers=lambda: server.readers)
    served = app(engine, options=options)
    give_back_large_arrays()
    # A thread inside a large body keeps the others waiting this long at a time; the default of 5 ms shows in p99.
    sys.setswitchinterval(0.0005)
    if readers:
        engine.tend()
    config = settings(served, grace_seconds=_GRACE_SECONDS)
    server = Writer(config, start, readers=readers, note=served.note)
    server.run(sockets=[listener])
    if writer is not None:
        writer.close()


def _url(listener: "socket.socket") -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
