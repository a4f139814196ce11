"""`nestor search`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nestor.cli.completion import dimensions
from nestor.cli.output import excerpt, hit_document, name_of, print_json, print_table, say, table, width
from nestor.cli.paths import A_PATH
from nestor.cli.settings import embedder_option, with_embedder
from nestor.domain import DIMENSIONS, FULL_DIMENSION
from nestor.errors import InvalidInput
from nestor.settings import Settings

STRATEGIES = ("direct", "hierarchical", "refetch", "hybrid", "manual")
"""As in nestor.strategies, which the help needs not import."""

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nestor.domain import Hit
    from nestor.search import Found, Question
    from nestor.wiring import Nestor


@click.command()
@click.argument("query", required=False)
@click.option("--image", type=A_PATH, help="Search by a picture instead of words.")
@click.option("--file", type=A_PATH, help="Search by any file instead of words.")
@embedder_option
@click.option(
    "--dimension",
    type=int,
    default=FULL_DIMENSION,
    show_default=True,
    shell_complete=dimensions,
    help="Components: 256, 384, 1024 or 3072.",
)
@click.option("--all-dimensions", is_flag=True, help="Ask all four sizes and show them side by side.")
@click.option("--top-k", type=int, default=10, show_default=True, help="How many hits: 1 to 10,000.")
@click.option("--where", "conditions", multiple=True, help="Such as modality=image or 'page>=3'; several: all hold.")
@click.option(
    "--strategy",
    "strategy_name",
    type=click.Choice(STRATEGIES),
    help="How to search: see docs/strategies.md (default: direct, or manual after a rollback).",
)
@click.option("--coarse", type=click.Choice(["256", "384"]), default="256", help="Where candidates come from.")
@click.option("--candidates", type=int, default=100, show_default=True, help="How many are put in order again.")
@click.option("--placeholder", help="The folder or s3://bucket/prefix that the manual strategy scans.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def search(
    settings: Settings,
    /,
    *,
    query: str | None,
    image: Path | None,
    file: Path | None,
    embedder: str | None,
    dimension: int,
    all_dimensions: bool,
    top_k: int,
    conditions: tuple[str, ...],
    strategy_name: str | None,
    coarse: str,
    candidates: int,
    placeholder: str | None,
    as_json: bool,
) -> None:
    """Find the segments nearest in meaning to QUERY, to a picture or to a file."""
    from nestor.where import parse_where
    from nestor.wiring import Nestor

    if sum(given is not None for given in (query, image, file)) != 1:
        raise InvalidInput("Give one thing to search by: words, --image FILE or --file FILE.")
    filter_document = parse_where(conditions)
    with Nestor(with_embedder(settings, embedder), read_only=True) as nestor:
        question = _question(nestor, query, image, file)
        asked = query if query is not None else str(image or file)
        strategy = nestor.strategy(strategy_name, coarse=int(coarse), candidates=candidates, placeholder=placeholder)
        if all_dimensions:
            found = nestor.search.ask_all(question, top_k=top_k, where=filter_document, strategy=strategy)
            show, document = _print_all, _document_all(asked, found)
        else:
            found = [
                nestor.search.ask(question, dimension=dimension, top_k=top_k, where=filter_document, strategy=strategy)
            ]
            show, document = _print_one, _document_one(asked, found[0])
    if as_json:
        print_json(document)
    else:
        show(found)
    if all_dimensions:
        _tell_missing(found)


def _tell_missing(found: "Sequence[Found]") -> None:
    for size in sorted(set(DIMENSIONS) - {each.dimension for each in found}):
        say(f"note: there is no index of {size} components here: `nestor reindex --add {size}` makes it.")


def _question(nestor: "Nestor", query: str | None, image: Path | None, file: Path | None) -> "Question":
    if query is not None:
        return nestor.search.words(query)
    options = nestor.read_options()
    if image is not None:
        return nestor.search.image(image, options)
    return nestor.search.file(file or Path(), options)


def _document_one(query: str, found: "Found") -> dict[str, Any]:
    return {
        "query": query,
        "strategy": found.strategy,
        "dimension": found.dimension,
        "took_ms": found.took_ms,
        "spent": _spent(found),
        "hits": [hit_document(hit) for hit in found.hits],
    }


def _spent(found: "Found") -> dict[str, int]:
    return {
        "requests": found.spent.requests,
        "returned_bytes": found.spent.returned_bytes,
        "candidates": found.candidates,
        "fallbacks": found.fallbacks,
    }


def _document_all(query: str, found: "list[Found]") -> dict[str, Any]:
    from nestor.search import agreement

    return {
        "query": query,
        "strategy": found[0].strategy,
        "dimensions": [
            {
                "dimension": each.dimension,
                "took_ms": each.took_ms,
                "spent": _spent(each),
                "agreement": round(agreement(each, found[-1]), 4),
                "hits": [hit_document(hit) for hit in each.hits],
            }
            for each in found
        ],
    }


def _print_one(found: "list[Found]") -> None:
    (one,) = found
    rows = table("#", "similarity", "where", "text", numbers=["#", "similarity"], filling="text")
    for rank, hit in enumerate(one.hits, start=1):
        rows.add_row(str(rank), f"{hit.similarity:.3f}", name_of(hit, 36), excerpt(hit, width()))
    if one.hits:
        print_table(rows)
    took = one.took_ms
    stages = ", ".join(f"{stage} {ms:.1f}" for stage, ms in took.items() if stage != "total")
    way = "" if one.strategy == "direct" else f" by {one.strategy}"
    say(f"{len(one.hits)} hits at {one.dimension} components{way} in {took['total']:.1f} ms ({stages}).")
    if one.fallbacks and one.strategy == "hierarchical":
        say(f"note: {one.fallbacks} candidates had no code and were fetched: `nestor reindex --codes` gives them one.")


def _print_all(found: "list[Found]") -> None:
    print_table(side_by_side(found))
    say(f"Agreement is the share of the {FULL_DIMENSION}-component hits that the smaller size finds too.")


def side_by_side(found: "list[Found]") -> Any:
    """Return a table of the sizes beside one another, with latency and agreement in the last row."""
    rows = table("#", *(f"{each.dimension} components" for each in found), numbers=["#"])
    room = (width() - 4) // len(found) - 9
    for rank in range(max(len(each.hits) for each in found)):
        cells = [_cell(each.hits[rank], room) if rank < len(each.hits) else "" for each in found]
        rows.add_row(str(rank + 1), *cells)
    rows.add_section()
    rows.add_row("", *(_latency_and_agreement(each, found[-1]) for each in found))
    return rows


def _latency_and_agreement(found: "Found", reference: "Found") -> str:
    from nestor.search import agreement

    return f"{found.vectors_ms:.1f} ms, agrees {agreement(found, reference):.0%}"


def _cell(hit: "Hit", room: int) -> str:
    return f"{hit.similarity:.3f} {name_of(hit, room)}"
