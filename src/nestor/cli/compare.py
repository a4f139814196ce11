"""`nestor compare`."""

import time
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nestor.cli.output import print_json, print_table, say, table, with_progress
from nestor.cli.paths import A_PATH, PathType
from nestor.cli.settings import embedder_option, with_embedder
from nestor.domain import DIMENSIONS
from nestor.errors import InvalidInput
from nestor.settings import Settings

if TYPE_CHECKING:
    from nestor.compare import Comparison, Measured, Sample
    from nestor.wiring import Nestor


@click.command()
@click.option("--questions", type=A_PATH, help="A file with a question a line.")
@click.option(
    "--sample", type=click.IntRange(1, 10_000), default=200, show_default=True, help="Else: stored segments that ask."
)
@embedder_option
@click.option("--top-k", type=click.IntRange(1, 100), default=10, show_default=True, help="Hits that count.")
@click.option(
    "--where", "conditions", multiple=True, help="Ask under a filter, such as modality=image; several: all hold."
)
@click.option("--segments", type=click.IntRange(1), help="Segments to price for (default: as many as are stored).")
@click.option(
    "--queries", type=click.IntRange(0), default=1_000_000, show_default=True, help="Questions a month to price for."
)
@click.option("--target", type=click.FloatRange(0.5, 1), default=0.99, show_default=True, help="Recall that is enough.")
@click.option("--report", type=PathType(path_type=Path, dir_okay=False), help="Write an HTML page with plots there.")
@click.option("--keep", is_flag=True, help="Keep that page in the home: `nestor serve` lists it beside the sizes.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def compare(
    settings: Settings,
    /,
    *,
    questions: Path | None,
    sample: int,
    embedder: str | None,
    top_k: int,
    conditions: tuple[str, ...],
    segments: int | None,
    queries: int,
    target: float,
    report: Path | None,
    keep: bool,
    as_json: bool,
) -> None:
    """Compare every size and strategy on what is stored, with exhaustive search as the judge, and recommend one.

    Reads the whole index of 3072 components once; on AWS that is a ListVectors request for about each 80 segments.
    """
    from nestor.compare import conclude, contenders, exhaustive, measure, sampled
    from nestor.prices import Plan, prices
    from nestor.where import parse_where
    from nestor.wiring import Nestor

    where = parse_where(conditions)
    with Nestor(with_embedder(settings, embedder), read_only=True) as nestor:
        store = nestor.store
        sizes = nestor.search.sizes()
        if DIMENSIONS[-1] not in sizes:
            raise InvalidInput("There is no index of 3072 components to compare with: ingest some files first.")
        samples = _asked(nestor, questions) if questions else sampled(store, sample)
        say(f"Comparing every row with {len(samples):,} questions ...")
        truth = exhaustive(store.rows(DIMENSIONS[-1]), samples, k=top_k, where=where)
        plan = Plan(segments=segments or truth.rows, queries=queries, top_k=top_k)
        found = contenders(store, words=questions is not None and store.searches_words(DIMENSIONS[-1]), sizes=sizes)
        measured = [
            measure(each, samples, truth, k=top_k, plan=plan, prices=prices())
            for each in with_progress(found, total=len(found), label=lambda each: each.label)
        ]
    comparison = conclude(measured, truth, k=top_k, plan=plan, prices=prices(), target=target)
    kept = settings.reports / f"compare-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}.html" if keep else None
    for path in (report, kept):
        if path is not None:
            _write(path, comparison)
    if as_json:
        print_json(_document(comparison))
    else:
        _print(comparison)


def _asked(nestor: "Nestor", path: Path) -> "list[Sample]":
    from nestor.compare import Sample

    try:
        lines = [line.strip() for line in path.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"Cannot read questions from {path}: {error}.") from error
    if not lines:
        raise InvalidInput(f"{path} holds no question: write one a line.")
    return [Sample(nestor.search.words(line).embedding, words=line) for line in lines]


def _write(path: Path, comparison: "Comparison") -> None:
    from nestor.report import html

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(html(comparison), "utf-8")
    except OSError as error:
        raise InvalidInput(f"Cannot write {path}: {error.strerror}.") from error
    say(f"Written: {path}")


def _document(comparison: "Comparison") -> dict[str, Any]:
    return {
        "k": comparison.k,
        "questions": comparison.questions,
        "rows": comparison.rows,
        "where": comparison.where,
        "matching": comparison.matching,
        "segments": comparison.segments,
        "queries": comparison.queries,
        "measured": [_row(each) for each in comparison.measured],
        "agreement": [[round(share, 4) for share in shares] for shares in comparison.agreement],
        "recommended": {"label": comparison.advice.label, "reason": comparison.advice.reason},
        "prices": {"read_on": comparison.prices.read_on, "unverified": comparison.prices.unverified},
    }


def _row(each: "Measured") -> dict[str, Any]:
    values = {field.name: getattr(each, field.name) for field in fields(each) if field.name != "found"}
    return {name: round(value, 5) if isinstance(value, float) else value for name, value in values.items()}


def _print(comparison: "Comparison") -> None:
    numbers = ["recall", "nDCG", "p50 ms", "p99 ms", "requests", "kB back", "$ a month"]
    rows = table("", *numbers, numbers=numbers)
    for each in comparison.measured:
        rows.add_row(
            each.label,
            f"{each.recall:.4f}",
            f"{each.ndcg:.4f}",
            f"{each.p50_ms:.1f}",
            f"{each.p99_ms:.1f}",
            f"{each.requests:.1f}",
            f"{each.returned_bytes / 1e3:,.1f}",
            f"{each.month_usd:,.2f}",
        )
    print_table(rows)
    if comparison.where is not None:
        click.echo(f"\nUnder a filter that {comparison.matching:,} of {comparison.rows:,} segments match.")
    click.echo(f"\nUse {comparison.advice.label}. {comparison.advice.reason}")
    say(
        f"For {comparison.segments:,.0f} segments and {comparison.queries:,.0f} questions a month. "
        f"{comparison.prices.unverified}"
    )
