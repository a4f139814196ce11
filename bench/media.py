"""Known-item search over a captioned media collection: recall@10 by modality, at each size.

An item is relevant to its own caption alone, and counts when one of its segments is among the first ten hits. Three
conditions, each ingested into a home of its own:

- content: no sidecar; what the files themselves hold (text, tags, file name, pixels);
- held-out: the sidecar holds another text about the item than the one asked (another person's caption, the figure's
  printed caption where the alt text is asked); items that have only one text have no sidecar;
- given: the sidecar holds everything, the asked caption included: an upper bound that says little by itself.

    python bench/media.py [--data DIR] [--json]
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nestor import media
from nestor.domain import DIMENSIONS
from nestor.outcome import Report
from nestor.settings import Settings
from nestor.wiring import Nestor

TOP_K = 10


@dataclass(frozen=True)
class Item:
    """One file and what people wrote about it."""

    path: str
    modality: str
    questions: tuple[str, ...]
    sidecar: dict[str, dict[str, Any]]
    """What the sidecar holds, by condition."""


def items(folder: Path) -> Iterator[Item]:
    """Yield the collection's items."""
    for line in (folder / "captions.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        given = {key: row[key] for key in ("caption", "captions", "context", "transcript") if key in row}
        held_out, questions = {}, (row["caption"],)
        if len(row.get("captions", ())) > 1:
            held_out, questions = {"caption": row["captions"][0]}, tuple(row["captions"][1:])
        elif row["modality"] == "image" and "context" in row:
            held_out = {"context": row["context"]}
        yield Item(row["path"], row["modality"], questions, {"content": {}, "held-out": held_out, "given": given})


def lay_out(collection: list[Item], source: Path, folder: Path, condition: str) -> None:
    """Put links to the files and the condition's sidecar into `folder`."""
    lines = []
    for item in collection:
        link = folder / item.path
        link.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source / item.path, link)
        except OSError:  # another file system
            link.write_bytes((source / item.path).read_bytes())
        if item.sidecar[condition]:
            lines.append(json.dumps({"path": item.path, **item.sidecar[condition]}) + "\n")
    (folder / "captions.jsonl").write_text("".join(lines), encoding="utf-8")


def recall(nestor: Nestor, collection: list[Item], folder: Path) -> dict[str, dict[int, float]]:
    """Return recall@10 by modality and size; every question of an item weighs the same within its item."""
    found: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for item in collection:
        uri = (folder / item.path).absolute().as_uri()
        hits: dict[int, list[bool]] = defaultdict(list)
        for question in item.questions:
            for answer in nestor.search.ask_all(nestor.search.words(question), top_k=TOP_K):
                hits[answer.dimension].append(any(hit.metadata["source_uri"] == uri for hit in answer.hits))
        for dimension, each in hits.items():
            share = sum(each) / len(each)
            found[item.modality][dimension].append(share)
            found["all"][dimension].append(share)
    return {
        modality: {dimension: sum(shares) / len(shares) for dimension, shares in sizes.items()}
        for modality, sizes in found.items()
    }


def measure(collection: list[Item], source: Path, condition: str, jobs: int) -> dict[str, Any]:
    """Ingest under one condition, ask every question, return the figures."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "media")
        folder.mkdir()
        lay_out(collection, source, folder, condition)
        report, started = Report(), time.perf_counter()
        with Nestor(Settings(home=Path(scratch, "home"))) as nestor:
            for outcome in nestor.ingest.run(media.discover([folder]), jobs=jobs):
                report.add(outcome)
            seconds = time.perf_counter() - started
            figures = recall(nestor, collection, folder)
        return {
            "recall@10": figures,
            "ingest_seconds": round(seconds, 1),
            "segments": report.segments,
            "failures": [{"path": str(each.path), "reason": each.reason} for each in report.failures],
        }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared/data/media")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="print one JSON line last")
    arguments = parser.parse_args()
    if not (arguments.data / "captions.jsonl").is_file():
        sys.exit(f"There is no captions.jsonl in {arguments.data}: give a captioned collection with --data DIR.")
    collection = list(items(arguments.data))
    results = {}
    for condition in ("content", "held-out", "given"):
        results[condition] = measured = measure(collection, arguments.data, condition, arguments.jobs)
        print(f"\n{condition}: {measured['segments']} segments in {measured['ingest_seconds']} s, recall@{TOP_K}")
        print("  modality  items  " + "  ".join(f"{dimension:>6}" for dimension in DIMENSIONS))
        for modality, sizes in sorted(measured["recall@10"].items()):
            count = sum(item.modality == modality for item in collection) or len(collection)
            print(f"  {modality:<9} {count:>5}  " + "  ".join(f"{sizes[d]:>6.3f}" for d in DIMENSIONS))
        for failure in measured["failures"]:
            print(f"  not ingested: {failure['path']}: {failure['reason']}")
    if arguments.json:
        print(json.dumps({"items": len(collection), **results}))


if __name__ == "__main__":
    main()
