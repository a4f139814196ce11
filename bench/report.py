"""The figures as tables, and the page of bench/results that shows every run kept there."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import budget, loadreport, plot
from bench.contenders import ENTRIES
from bench.dataset import FILTERED

RESULTS = Path(__file__).parent / "results"
_SHARES = dict(zip(FILTERED, ("0.1 %", "1 %", "10 %", "50 %"), strict=True))
_NONE = "-"
_METHOD = """\
Written by `make bench` and `make bench-load`, not by hand.

Each contender builds in a process of its own with two threads, and is asked in a fresh one; both have a time limit.
Queries come one at a time, warm, one thread requested (a library may start others), up to 500 of them or 8 seconds; the
server runs in a process of its own with its defaults. Rate, memory and cold queries are taken at the first settings
that reach a recall@10 of 0.99 (in bold), or else at the best. This engine has synced a put to disk when the call
returns; the others are not asked to.

- A filter asks for one of 1000, 100, 10 or 2 numbers, spread at random over the rows. Its recall is against the exact
  answers under that filter; where the settings in bold miss 0.99 there, dearer ones are tried.
- *put* counts the calls that take rows, *index* those that train, build and save.
- *own* is anonymous memory after all questions, *before* the part that Python and the library held before anything was
  opened; *mapped* are pages of its files, which the kernel can drop. *build peak* counts child processes too.
- *reopen* goes from a dropped page cache to the first answer; for a server it includes the start of an interpreter.
- *cold* drops the page cache before each query; it tells nothing of an index that lies in memory.
"""


def merged(name: str, results: Path, failed: str | None) -> dict[str, Any]:
    """Return the lines of a contender's steps as one mapping."""
    lines = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    found: dict[str, Any] = {"name": name, "points": [], "filters": {}, "own": ENTRIES[name].own}
    for line in lines:
        if "filter" in line:
            found["filters"][line["filter"]] = _better(found["filters"].get(line["filter"]), line)
        elif "point" in line:
            found["points"].append(line)
        else:
            found.update(line)
    return found if failed is None else {**found, "failed": failed}


def _better(one: dict[str, Any] | None, other: dict[str, Any]) -> dict[str, Any]:
    return other if one is None or other["k10"]["recall"] > one["k10"]["recall"] else one


def tables(outcome: Mapping[str, Any]) -> str:
    """Return the tables of one run."""
    found = outcome["contenders"]
    parts = [_queries(found), _filters(found), _keeping(found), _failures(found), _notes(found)]
    return "\n\n".join(part for part in [*parts, budget.table(outcome)] if part)


def write(folder: Path) -> None:
    """Draw a plot for every run in the folder, and write the page that shows them all."""
    runs = [(path, json.loads(path.read_text())) for path in sorted(folder.glob("*.json"))]
    runs.sort(key=lambda run: (run[1]["kind"], run[1]["set"]["rows"]))
    parts = ["# Measured", _METHOD.rstrip()]
    for path, outcome in runs:
        parts += _section(path, outcome)
    (folder / "README.md").write_text("\n\n".join(parts) + "\n")


def _section(path: Path, outcome: Mapping[str, Any]) -> Iterable[str]:
    about, machine = outcome["set"], outcome["machine"]
    what = "Under load" if outcome["kind"] == "load" else "Side by side"
    yield f"## {what}: {about['rows']:,} x {about['dimension']:,}"
    yield (
        f"`{about['name']}`; {machine['cores']} cores of {machine['processor']}, {machine['memory_gib']} GiB, "
        f"Python {machine['python']}, NumPy {machine['numpy']}."
    )
    if outcome["kind"] == "load":
        yield loadreport.tables(outcome)
        return
    drawing = path.with_suffix(".svg")
    drawing.write_text(plot.drawing(outcome))
    yield f"![recall against latency]({drawing.name})"
    yield tables(outcome)


def _queries(found: Sequence[Mapping[str, Any]]) -> str:
    head = ["", "settings", "recall@10", "p50 ms", "p99 ms", "recall@100", "p50 ms", "p99 ms", "queries/s, 2 threads"]
    rows = []
    for each in found:
        for point in each["points"]:
            ten, hundred = point["k10"], point["k100"]
            chosen = point["point"] == each.get("chosen")
            rate = whole(each.get("queries_per_second")) if chosen else ""
            label = f"**{point['point']}**" if chosen else point["point"]
            cells = [f"{ten['recall']:.3f}", ms(ten["p50"]), ms(ten["p99"])]
            cells += [f"{hundred['recall']:.3f}", ms(hundred["p50"]), ms(hundred["p99"])]
            rows.append([each["name"], label, *cells, rate])
    return table(head, rows) if rows else ""


def _filters(found: Sequence[Mapping[str, Any]]) -> str:
    head = ["k = 10 under a filter: p50 / p99 ms, recall", *_SHARES.values()]
    rows = [[each["name"], *(_filtered(each["filters"].get(name)) for name in _SHARES)] for each in found]
    rows = [row for row in rows if any(cell != _NONE for cell in row[1:])]
    return table(head, rows) if rows else ""


def _filtered(line: Mapping[str, Any] | None) -> str:
    if line is None:
        return _NONE
    ten = line["k10"]
    return f"{ms(ten['p50'])} / {ms(ten['p99'])}, {ten['recall']:.3f}"


def _keeping(found: Sequence[Mapping[str, Any]]) -> str:
    head = ["", "rows put", "put rows/s", "index s", "disk MiB", "own MiB", "before", "mapped MiB"]
    head += ["build peak MiB", "reopen s", "cold p50 ms"]
    rows = [[each["name"], *_kept(each)] for each in found if "built" in each]
    return table(head, rows) if rows else ""


def _kept(each: Mapping[str, Any]) -> list[str]:
    built, sampled = each["built"], ENTRIES[each["name"]].stored_by
    size = [_NONE] * 2 if sampled else [whole(each["disk_mib"]), whole(each["build_peak_mib"])]
    cold = each.get("cold")
    return [
        whole(built["rows"]),
        whole(built["rows"] / built["put_seconds"]),
        _NONE if sampled else f"{built['index_seconds']:.1f}",
        size[0],
        *(whole(each.get(name)) for name in ("anonymous", "before", "mapped")),
        size[1],
        f"{each['reopen_seconds']:.2f}" if "reopen_seconds" in each else _NONE,
        ms(cold["p50"]) if cold else _NONE,
    ]


def _failures(found: Sequence[Mapping[str, Any]]) -> str:
    return "\n".join(
        f"- **{each['name']}** not measured to the end: {each['failed']}" for each in found if "failed" in each
    )


def _notes(found: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        f"- {each['name']} ({each['version']}): {each['about']}. {each.get('note', '')}".rstrip()
        for each in found
        if "version" in each
    ]
    return "\n".join(lines)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table with straight columns; all but the first are set to the right."""
    columns = [[name, *cells] for name, *cells in zip(head, *rows, strict=True)]
    widths = [max(map(len, column)) for column in columns]
    lines = [_line(cells, widths) for cells in (head, *rows)]
    rule = [f"{'-' * (width - 1)}:" if place else "-" * width for place, width in enumerate(widths)]
    return "\n".join([lines[0], _line(rule, widths), *lines[1:]])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    return f"| {first[0]:<{first[1]}} | " + " | ".join(f"{cell:>{width}}" for cell, width in others) + " |"


def ms(value: float) -> str:
    """Return milliseconds with three digits that count."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def whole(value: float | None) -> str:
    """Return a number without digits after the point."""
    return _NONE if value is None else f"{value:,.0f}"
