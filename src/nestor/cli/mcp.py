"""`nestor mcp`."""

import click

from nestor.cli.output import say
from nestor.cli.settings import embedder_option, with_embedder
from nestor.settings import Settings


@click.command()
@embedder_option
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    help="Serve streamable HTTP at http://127.0.0.1:PORT/mcp instead; 0: a free port.",
)
@click.pass_obj
def mcp(settings: Settings, /, *, embedder: str | None, port: int | None) -> None:
    """Serve the library to an agent by the Model Context Protocol, on stdin and stdout.

    Tools: search, compare, get_segment, list_assets. None of them changes anything, and others may ingest meanwhile.
    """
    from nestor.mcp.server import server
    from nestor.mcp.tools import Shelf
    from nestor.mcp.transports import serve_http, serve_stdio

    shelf = Shelf(with_embedder(settings, embedder))
    try:
        if port is None:
            serve_stdio(server(shelf), say=say)
        else:
            serve_http(server(shelf), port=port, say=say)
    finally:
        shelf.close()
