"""`nestor serve`: the HTTP API and the page."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nestor.cli.output import print_json, say
from nestor.cli.paths import PathType
from nestor.cli.settings import embedder_option, with_embedder
from nestor.errors import InvalidInput, MissingExtra, NestorError, VectorsError
from nestor.settings import Settings

if TYPE_CHECKING:
    import socket

    from fastapi import FastAPI

    from nestor.web.context import Options
    from nestor.wiring import Nestor

_NEEDED = ("fastapi", "jinja2", "python_multipart", "uvicorn")
_GRACE_SECONDS = 10
"""For what is being answered when the end is asked for."""
_IDLE_SECONDS = 75
"""Longer than browsers keep an unused connection, so that they are the ones to close it."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address; one beyond loopback needs --token-file.")
@click.option("--port", type=click.IntRange(0, 65535), default=8484, show_default=True, help="0 picks a free one.")
@click.option(
    "--token-file",
    type=PathType(dir_okay=False, path_type=Path),
    help="File of tokens, one a line; every request must then carry one.",
)
@click.option("--allow-host", "hosts", multiple=True, help="A further name in the Host header; repeatable.")
@click.option("--allow-origin", "origins", multiple=True, help="A page that may ask, as https://host; repeatable.")
@click.option("--read-only", is_flag=True, help="Only look, while another process may write.")
@click.option("--no-browser", is_flag=True, help="Open no browser.")
@click.option("--quiet", is_flag=True, help="No line a request on stderr.")
@embedder_option
@click.option("--json", "as_json", is_flag=True, help="Print the address as one JSON object.")
@click.pass_obj
def serve(
    settings: Settings,
    /,
    *,
    host: str,
    port: int,
    token_file: Path | None,
    hosts: tuple[str, ...],
    origins: tuple[str, ...],
    read_only: bool,
    no_browser: bool,
    quiet: bool,
    embedder: str | None,
    as_json: bool,
) -> None:
    """Serve the page and the HTTP API until SIGINT or SIGTERM.

    Without --token-file nobody is asked who they are, so only loopback addresses are accepted. What is being ingested
    when it ends is finished when it starts again.
    """
    _check_installed()
    from nestor.web.app import create
    from nestor.wiring import Nestor

    options = _options(settings, host, token_file, hosts, origins, quiet=quiet)
    with (
        _listening(host, port) as listener,
        Nestor(with_embedder(settings, embedder), read_only=read_only, settles=False) as nestor,
    ):
        nestor.client  # noqa: B018  # opened here, so that a home that another process holds is told of as usual
        nestor.chat  # noqa: B018  # so are settings of a chat model that make no sense
        _check_embedder(nestor)
        app = create(nestor, options=options)
        url = _url(listener)
        if as_json:
            print_json({"url": url, "home": str(settings.home)})
        else:
            click.echo(f"Nestor is at {url} (Ctrl-C ends it).")
        if not (no_browser or as_json) and sys.stdout.isatty():
            click.launch(url)
        _serve(app, listener, started=lambda: _warm(nestor))
        _leave(nestor)


def _check_embedder(nestor: "Nestor") -> None:
    """Raise EmbedderMismatch where every question would be refused. All else that is wrong, each question tells."""
    with suppress(InvalidInput, VectorsError):
        nestor.search.check(nestor.strategy())


def _check_installed() -> None:
    from importlib.util import find_spec

    if missing := [module for module in _NEEDED if find_spec(module) is None]:
        raise MissingExtra(f"serving needs what is not installed ({', '.join(missing)}): pip install 'nestor[web]'")


def _options(
    settings: Settings,
    host: str,
    token_file: Path | None,
    hosts: tuple[str, ...],
    origins: tuple[str, ...],
    *,
    quiet: bool,
) -> "Options":
    from nestor.web.context import Options
    from nestor.web.limits import Limits
    from nestor.web.tokens import read_tokens

    if host not in _LOOPBACK and token_file is None:
        raise InvalidInput(f"{host} is not a loopback address, and there is no authentication without --token-file.")
    # By name only who needs no token is told apart; a page elsewhere that has our name resolved to us has none.
    anybody = host not in _LOOPBACK and not hosts
    return Options(
        tokens=None if token_file is None else read_tokens(token_file),
        hosts=None if anybody else _LOOPBACK | {name.lower() for name in (*hosts, host)},
        origins=frozenset(origin.lower().rstrip("/") for origin in origins),
        limits=Limits(running=min(32, (os.cpu_count() or 1) + 2)),
        reports=settings.reports,
        shown=tuple((name, str(getattr(settings, name))) for name in ("home", "vectors", "vector_bucket", "embedder")),
        log=None if quiet else say,
    )


@contextmanager
def _listening(host: str, port: int) -> Iterator["socket.socket"]:
    import socket

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=256)
    except OSError as error:
        raise InvalidInput(
            f"Cannot listen on {host}:{port}: {error.strerror or error}. Choose another --port; 0 picks a free one."
        ) from error
    with listener:
        yield listener


def _serve(app: "FastAPI", listener: "socket.socket", *, started: Callable[[], None]) -> None:
    """Answer until a signal comes; `started` is called in a thread as soon as questions are answered."""
    import signal
    import threading

    import uvicorn

    class Server(uvicorn.Server):
        """Ends streams first: else it would wait for them."""

        async def startup(self, sockets: "list[socket.socket] | None" = None) -> None:
            await super().startup(sockets)
            if self.started:
                threading.Thread(target=started, name="nestor-warm").start()

        def handle_exit(self, sig: int, frame: Any) -> None:
            app.state.context.closing.set()
            super().handle_exit(sig, frame)

    # uvicorn finishes what it is answering, then raises the signal again; the second time it means nothing more.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    config = uvicorn.Config(
        app,
        # The other parser takes no body after an offer of another protocol, which Java's client makes by default.
        http="h11",
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        # Else whoever is on this machine could claim to come over TLS, or from elsewhere.
        proxy_headers=False,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    Server(config).run(sockets=[listener])


def _warm(nestor: "Nestor") -> None:
    """Ask the embedder of this machine once, past the cache: the first question need not wait until it is loaded."""
    if nestor.settings.embedder != "local":
        return  # it has nothing to load, and each question costs
    try:
        nestor.embedder.embed_text_query("the first question")
    except NestorError as error:
        say(f"The embedder cannot be loaded, so no question can be answered: {error}")


def _leave(nestor: "Nestor") -> None:
    """End at once where a file is still being read: nothing of it is stored, and the next start does it again."""
    if nestor.uploads is not None and not nestor.uploads.close(seconds=0):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _url(listener: "socket.socket") -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
