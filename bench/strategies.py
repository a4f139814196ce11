"""Strategies on nested data: recall, time, requests, bytes and price, and the advice that `nestor compare` gives.

    python -m bench.strategies [--rows 100000] [--adversarial] [--questions 200] [--json FILE]

The rows go through Nestor's client into an embedded engine, codes and all, and stay under bench/.cache; the exact
answers are the data set's own. With --adversarial the components come in reverse order: the prefixes, which should hold
the most, hold the least.
"""

import argparse
import contextlib
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from bench import dataset
from bench.nested import Floats
from nestor.compare import TIE, Comparison, Measured, Sample, Truth, conclude, contenders, measure
from nestor.domain import DIMENSIONS, Metadata
from nestor.nesting import nest
from nestor.ports import VectorRow
from nestor.prices import Plan, prices
from nestor.settings import Settings
from nestor.storing import with_codes
from nestor.wiring import Nestor

K = 10
BATCH = 500
EMBEDDER = "bench:nested"
TEXT = "A sentence of the length that an excerpt has beside a code. " * 5


@dataclass(frozen=True)
class Asked:
    """What is to be measured."""

    rows: int
    adversarial: bool
    questions: int


def main() -> None:
    """Fill the indexes where they are not yet, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    dataset.add_arguments(parser, rows=100_000)
    parser.add_argument("--adversarial", action="store_true", help="components in reverse order")
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    given = parser.parse_args()
    made = dataset.from_arguments(given)
    asked = Asked(made.rows, given.adversarial, given.questions)
    with filled(made, asked) as nestor:
        comparison = compared(nestor, made, asked)
    document = figures(comparison, asked)
    show(document)
    if given.json:
        given.json.write_text(json.dumps(document, indent=1) + "\n")


@contextlib.contextmanager
def filled(made: dataset.Dataset, asked: Asked) -> Iterator[Nestor]:
    """Give a home that holds the rows in four indexes."""
    home = dataset.CACHE / f"strategies-{made.name}{'-reversed' if asked.adversarial else ''}"
    if not (home / "complete").exists():
        shutil.rmtree(home, ignore_errors=True)
        started = time.perf_counter()
        with Nestor(Settings(home=home)) as nestor:
            nestor.store.prepare(DIMENSIONS, embedder=EMBEDDER)
            for start in range(0, made.rows, BATCH):
                put(nestor, ordered(made.vectors[start : start + BATCH], asked), start)
        (home / "complete").write_text(f"{time.perf_counter() - started:.1f} s\n")
    with Nestor(Settings(home=home), read_only=True) as nestor:
        yield nestor


def ordered(rows: Floats, asked: Asked) -> Floats:
    """Return the rows with their components as asked for."""
    return np.ascontiguousarray(rows[:, ::-1]) if asked.adversarial else np.array(rows)


def put(nestor: Nestor, full: Floats, start: int) -> None:
    """Store one batch in every index, as `nestor.storing` does."""
    metadata: list[Metadata] = [
        {
            "object_id": f"{start + at:024x}",
            "modality": "text",
            "segment_index": 0,
            "source_uri": "s3://b/k",
            "text": TEXT,
        }
        for at in range(len(full))
    ]
    for size, prefixes in nest(full).items():
        rows = [VectorRow(str(start + at), prefix, metadata[at]) for at, prefix in enumerate(prefixes)]
        nestor.store.put(size, with_codes(rows, full) if size in {256, 384} else rows)


def compared(nestor: Nestor, made: dataset.Dataset, asked: Asked) -> Comparison:
    """Ask every contender."""
    count = min(asked.questions, len(made.queries))
    samples = [Sample(row) for row in ordered(made.queries[:count], asked)]
    truth = Truth(tuple(gains(made, number) for number in range(count)), made.rows, 120.0, 400.0)
    plan = Plan(segments=made.rows, queries=1_000_000, top_k=K)
    measured = [
        measure(each, samples, truth, k=K, plan=plan, prices=prices()) for each in contenders(nestor.store, words=False)
    ]
    return conclude(measured, truth, k=K, plan=plan, prices=prices())


def gains(made: dataset.Dataset, query: int) -> dict[str, float]:
    """Return the exact answers as `nestor.compare` keeps them."""
    rows, similarity = made.truth()[query], made.similarity()[query]
    first = {str(row): float(K - rank) for rank, row in enumerate(rows[:K])}
    tied = zip(rows[K:], similarity[K:], strict=True)
    return first | {str(row): 1.0 for row, value in tied if row >= 0 and value >= similarity[K - 1] - TIE}


def figures(comparison: Comparison, asked: Asked) -> dict[str, Any]:
    """Return what is written down."""
    return {
        "rows": asked.rows,
        "adversarial": asked.adversarial,
        "questions": comparison.questions,
        "k": K,
        "measured": [row(each) for each in comparison.measured],
        "recommended": comparison.advice.label,
        "reason": comparison.advice.reason,
    }


def row(each: Measured) -> dict[str, Any]:
    """Return one contender's figures."""
    values = {field.name: getattr(each, field.name) for field in fields(each) if field.name != "found"}
    return {name: round(value, 5) if isinstance(value, float) else value for name, value in values.items()}


def show(document: dict[str, Any]) -> None:
    """Print the table."""
    print(f"{document['rows']:,} rows, {document['questions']} questions, prices of 1 M questions a month")
    print("| | recall@10 | nDCG@10 | p50 ms | p99 ms | requests | kB back | GB read | $ queries | $ month |")
    print("| --- |" + " ---: |" * 9)
    for each in document["measured"]:
        print(
            f"| {each['label']} | {each['recall']:.4f} | {each['ndcg']:.4f} | {each['p50_ms']:.1f} | "
            f"{each['p99_ms']:.1f} | {each['requests']:.1f} | {each['returned_bytes'] / 1e3:.0f} | "
            f"{each['processed_bytes'] / 1e9:.3f} | {each['query_usd']:.2f} | {each['month_usd']:.2f} |"
        )
    print(f"\nUse {document['recommended']}. {document['reason']}")


if __name__ == "__main__":
    main()
