"""Mixed load on `s3vectors-local serve`: readers and a writer at once, for a time, with an eye on the server's memory.

    python -m bench.load [--rows 100000] [--seconds 60] [--readers 8] [--writes-per-second 500]

Prints a line an interval, and stores all in bench/results. The exit code is 1 after any error, or when the server's own
memory grew by more than 5 % between the end of the first sixth of the time and the end.
"""

import argparse
import json
import multiprocessing
import queue
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import dataset, loadreport, memory, report, traffic
from bench.contenders.engine_inside import EngineInside
from bench.engine import machine
from bench.serving import Served

LEAD = 5.0
"""Seconds for the processes to start."""
GRACE = 10.0
"""Seconds for each of them to end."""
INTERVALS = 30
SAMPLES = 4
"""Looks at the memory in an interval."""
_CONTEXT = multiprocessing.get_context("spawn")


class Load:
    """One run: what it collects while it lasts."""

    def __init__(self, plan: traffic.Plan, served: Served) -> None:
        """Collect for a plan."""
        self._plan = plan
        self._served = served
        self._spells: dict[int, list[loadreport.Spell]] = {}
        self._closed = 0
        self.memory: list[dict[str, float]] = []
        self.intervals: list[dict[str, Any]] = []

    def collect(self, results: Any) -> None:
        """Take results, look at the memory, and print a line an interval, until the end."""
        print(loadreport.HEAD)
        while not self._plan.over() and self._served.alive:
            self._look()
            self._take(results, self._plan.interval / SAMPLES)
            self._close(before=self._plan.now() - 1)
        self._take(results, 2.0)
        self._close(before=max(self._spells, default=0) + 1)

    def _look(self) -> None:
        at = max(0.0, time.monotonic() - self._plan.start)
        self.memory.append({"at": round(at, 2), **asdict(memory.held_by_server(self._served.pid))})

    def _take(self, results: Any, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            try:
                spell = results.get(timeout=left)
            except queue.Empty:
                return
            self._spells.setdefault(max(spell.interval, self._closed), []).append(spell)

    def _close(self, *, before: int) -> None:
        for number in sorted(number for number in self._spells if number < before):
            done = loadreport.interval(number, self._spells.pop(number), self._plan.interval, self.memory[-1])
            self._closed = number + 1
            self.intervals.append(done)
            print(loadreport.line(done), flush=True)


def run(made: dataset.Dataset, options: argparse.Namespace) -> dict[str, Any]:
    """Fill a folder, serve it, load it, and return all figures."""
    with tempfile.TemporaryDirectory(dir=dataset.CACHE, prefix="load-") as folder:
        print(f"filling {made.rows:,} rows ...", flush=True)
        EngineInside().build(made, Path(folder))
        with Served(Path(folder)) as served:
            interval = max(1.0, options.seconds / INTERVALS)
            plan = traffic.Plan(served.url, made, time.monotonic() + LEAD, options.seconds, interval)
            load = Load(plan, served)
            with _workers(plan, options) as (results, workers):
                load.collect(results)
            ended = [] if served.alive else ["the server ended"]
    ended += [f"a client ended with {worker.exitcode}" for worker in workers if worker.exitcode]
    judged = loadreport.verdict(load.intervals, load.memory, options.seconds)
    return {
        "kind": "load",
        "set": {"name": made.name, "rows": made.rows, "dimension": made.dimension},
        "machine": machine(),
        "asked": {name: getattr(options, name) for name in ("seconds", "readers", "writes_per_second")},
        "intervals": load.intervals,
        "memory": load.memory,
        **judged,
        "faults": judged["faults"] + ended,
    }


@contextmanager
def _workers(plan: traffic.Plan, options: argparse.Namespace) -> Iterator[tuple[Any, list[Any]]]:
    """Give the queue that the running readers and the writer fill, and their processes."""
    results = _CONTEXT.Queue()
    targets: list[tuple[Callable[..., None], Any]] = [(traffic.read, number) for number in range(options.readers)]
    if options.writes_per_second:
        targets.append((traffic.write, options.writes_per_second))
    workers = [_CONTEXT.Process(target=target, args=(plan, own, results), daemon=True) for target, own in targets]
    for worker in workers:
        worker.start()
    try:
        yield results, list(workers)
    finally:
        for worker in workers:
            worker.join(GRACE)
            worker.kill()
            worker.join()


def _number(least: float, most: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        value = float(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"between {least:g} and {most:g}")
        return value

    return parse


def main() -> None:
    """Load, print, store, and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    dataset.add_arguments(parser, rows=100_000)
    parser.add_argument("--seconds", type=_number(6, 4 * 3600), default=60.0)
    parser.add_argument("--readers", type=lambda text: int(_number(0, 64)(text)), default=8)
    parser.add_argument("--writes-per-second", type=_number(0, 100_000), default=500.0, help="vectors; 0 for none")
    parser.add_argument("--results", type=Path, default=report.RESULTS, help="where to write")
    options = parser.parse_args()
    made = dataset.from_arguments(options)
    outcome = run(made, options)
    print(loadreport.summary(outcome))
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / f"load-{made.name}.json").write_text(json.dumps(outcome, indent=1) + "\n")
    report.write(options.results)
    sys.exit(1 if outcome["faults"] else 0)


if __name__ == "__main__":
    main()
