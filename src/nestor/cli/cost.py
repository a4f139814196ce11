"""`nestor cost`."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from nestor.cli.output import print_json, print_table, say, table

if TYPE_CHECKING:
    from nestor.prices import Plan, Priced, Prices


@click.command()
@click.option(
    "--segments",
    "sizes",
    type=click.IntRange(1, 2_000_000_000),
    multiple=True,
    default=(100_000, 1_000_000, 10_000_000),
    show_default=True,
    help="Segments that are stored; may be given several times.",
)
@click.option("--queries", type=click.IntRange(0), default=1_000_000, show_default=True, help="Questions in a month.")
@click.option("--top-k", type=click.IntRange(1, 10_000), default=10, show_default=True, help="Hits of each.")
@click.option(
    "--candidates", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Of the funnel strategies."
)
@click.option(
    "--filterable-bytes", type=click.FloatRange(1, 3_072), default=400, show_default=True, help="Key and such metadata."
)
@click.option("--text-bytes", type=click.FloatRange(0, 38_912), default=1_000, show_default=True, help="Excerpt, URI.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def cost(
    *,
    sizes: tuple[int, ...],
    queries: int,
    top_k: int,
    candidates: int,
    filterable_bytes: float,
    text_bytes: float,
    as_json: bool,
) -> None:
    """Price a plan in an AWS account without any data: every strategy, and from where on which one is cheaper."""
    from nestor.prices import Plan, prices

    plans = [
        Plan(
            segments=segments,
            queries=queries,
            top_k=top_k,
            candidates=candidates,
            filterable_bytes=filterable_bytes,
            text_bytes=text_bytes,
        )
        for segments in sizes
    ]
    document = _document(plans, prices())
    if as_json:
        print_json(document)
    else:
        _print(document)


def _document(plans: "list[Plan]", prices: "Prices") -> dict[str, Any]:
    from nestor.prices import break_evens, everything, priced

    stored = [(plan.segments, *everything(plan, prices)) for plan in plans]
    return {
        "segments": [plan.segments for plan in plans],
        "queries": plans[0].queries,
        "candidates": plans[0].candidates,
        "strategies": [_row(each) for plan in plans for each in priced(plan, prices)],
        "all_four_indexes": [
            {"segments": segments, "storage_usd": _usd(storage), "load_usd": _usd(load)}
            for segments, storage, load in stored
        ],
        "break_even": [asdict(each) for each in break_evens(plans[0], prices)],
        "prices": {"region": prices.region, "read_on": prices.read_on, "unverified": prices.unverified},
    }


def _row(each: "Priced") -> dict[str, Any]:
    row = asdict(each)
    usd = {name: _usd(row[name]) for name in ("storage_usd", "load_usd", "query_usd")}
    return row | usd | {"month_usd": _usd(each.monthly_usd)}


def _usd(value: float) -> float:
    return round(value, 4)


def _print(document: dict[str, Any]) -> None:
    money = ["storage", "queries", "month", "load once"]
    for segments in document["segments"]:
        click.echo(f"{segments:,} segments, {document['queries']:,} questions a month, US dollars")
        rows = table("strategy", "indexes", *money, numbers=money)
        for each in document["strategies"]:
            if each["segments"] == segments:
                indexes = " + ".join(map(str, each["indexes"])) or "none"
                usd = (each["storage_usd"], each["query_usd"], each["month_usd"], each["load_usd"])
                rows.add_row(each["strategy"], indexes, *(f"{value:,.2f}" for value in usd))
        print_table(rows)
        click.echo()
    for each in document["all_four_indexes"]:
        click.echo(
            f"All four indexes with codes, {each['segments']:,} segments: ${each['storage_usd']:,.2f} a month, "
            f"${each['load_usd']:,.2f} to load."
        )
    for each in document["break_even"]:
        click.echo(_break_even(each))
    say(f"{document['prices']['unverified']}")


def _break_even(each: dict[str, Any]) -> str:
    what = {"queries": "queries", "month": "storage and queries"}[each["what"]]
    pair = f"{each['cheaper']} is cheaper than {each['than']} ({what})"
    if each["segments"] is None:
        return f"{pair} nowhere up to two billion segments."
    until = f" to {each['until']:,}" if each["until"] else " on"
    return f"{pair} from {each['segments']:,} segments{until}."
