"""This engine beside other vector libraries, on the same rows, in the same run.

    python -m bench.engine [--rows 20000] [--dimension 3072] [--seed 0] [--only NAME ...] [--limit 900]
    python -m bench.engine --file vectors.npy [--queries queries.npy]

Each contender builds in a process of its own and is asked in another, both under a time limit. What is missing, fails
or runs out of time becomes a row that says so. Prints tables, and writes JSON, a plot and a page to bench/results.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
import tempfile
from pathlib import Path
from typing import Any

from bench import dataset, report
from bench.contenders import ENTRIES
from bench.steps import Failed, Step


def measure(name: str, made: dataset.Dataset, work: Path, *, limit: float) -> dict[str, Any]:
    """Return all figures of one contender, and under "failed" why there are no more."""
    home = work / _slug(name)
    home.mkdir()
    results = home.with_suffix(".jsonl")
    asked = work / _slug(ENTRIES[name].stored_by or name)
    failed = None
    try:
        Step(name, made.folder, results, limit=limit).run("build", home)
        Step(name, made.folder, results, limit=limit).run("ask", asked)
    except Failed as error:
        failed = str(error)
        print(f"  {name}: {failed}")
    return report.merged(name, results, failed)


def compare(made: dataset.Dataset, names: list[str], *, limit: float) -> dict[str, Any]:
    """Return the figures of all contenders."""
    found = []
    with tempfile.TemporaryDirectory(dir=dataset.CACHE, prefix="run-") as folder:
        for place, name in enumerate(names, 1):
            print(f"{name} ...", flush=True)
            found.append(measure(name, made, Path(folder), limit=limit))
            needed = {ENTRIES[other].stored_by for other in names[place:]}
            for done in {*names[:place]} - needed:
                shutil.rmtree(Path(folder) / _slug(done), ignore_errors=True)
    about = {"name": made.name, "rows": made.rows, "dimension": made.dimension, "queries": len(made.queries)}
    return {"kind": "engine", "set": about, "machine": machine(), "contenders": found}


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return {
        "processor": next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "unknown"),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "python": platform.python_version(),
        "numpy": importlib.metadata.version("numpy"),
    }


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower())


def main() -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    dataset.add_arguments(parser)
    parser.add_argument("--only", nargs="+", choices=list(ENTRIES), default=list(ENTRIES), metavar="NAME")
    parser.add_argument("--limit", type=float, default=900, help="seconds for each of a contender's two steps")
    parser.add_argument("--results", type=Path, default=report.RESULTS, help="where to write")
    options = parser.parse_args()
    made = dataset.from_arguments(options)
    wanted = {entry for name in options.only if (entry := ENTRIES[name].stored_by)} | set(options.only)
    outcome = compare(made, [name for name in ENTRIES if name in wanted], limit=options.limit)
    print(report.tables(outcome))
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / f"engine-{made.name}.json").write_text(json.dumps(outcome, indent=1) + "\n")
    report.write(options.results)


if __name__ == "__main__":
    main()
