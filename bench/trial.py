"""One contender measured in this process; run by bench/engine.py, once to build and once to ask.

    python -m bench.trial build|ask NAME --set FOLDER --home FOLDER --results FILE

Each figure is appended to the results as a line of JSON when it is known, so that what a later step breaks is kept.
"""

import argparse
import importlib.metadata
import json
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from bench import memory
from bench.contenders import Contender, make
from bench.contenders.contender import Settings
from bench.dataset import FILTERED, Dataset, asked_tag
from bench.recall import Judge

TARGET = 0.99
"""Recall@10 that the chosen settings must reach."""
ENOUGH = 0.999
"""Recall@10 after which no dearer settings are tried."""
SECONDS = 8.0
"""The most for one series of queries; all of them are asked where that takes less."""
FEWEST = 20
COLD = 20
THREADS = 2

Tell = Callable[[dict[str, Any]], None]


class Trial:
    """One contender over one set."""

    def __init__(self, contender: Contender, made: Dataset, home: Path, tell: Tell) -> None:
        """Measure; `tell` takes each figure."""
        self._contender = contender
        self._made = made
        self._home = home
        self._tell = tell

    def build(self) -> None:
        """Build, and tell how fast, how large on disk, and how much memory it took."""
        with memory.Peak(os.getpid()) as peak:
            built = self._contender.build(self._made, self._home)
        version = importlib.metadata.version(self._contender.package)
        self._tell({"version": version, "about": self._contender.about})
        self._tell({"built": asdict(built), "build_peak_mib": peak.anonymous, "disk_mib": memory.disk(self._home)})

    def ask(self) -> None:
        """Open, and tell everything else."""
        before = memory.held(os.getpid()).anonymous
        self._reopen()
        try:
            label = self._curve()
            chosen = self._contender.points[label]
            self._filters(label)
            self._together(chosen)
            self._held(before)
            if self._contender.process() == os.getpid():
                self._cold(chosen)
            self._tell({"note": self._contender.note()})
        finally:
            self._contender.close()

    def _reopen(self) -> None:
        memory.forget(self._made.folder)  # what was read to build leaves room for what is asked
        memory.forget(self._home)
        began = time.perf_counter()
        self._contender.open(self._made, self._home)
        self._search(0, 10, next(iter(self._contender.points.values())))
        self._tell({"reopen_seconds": time.perf_counter() - began})

    def _curve(self) -> str:
        """Try all settings; return the first that reach the target, or else those of the best recall."""
        recalls = {}
        for k in (10, 100):  # each query once, unmeasured: the files were dropped from memory before
            self._series(k, next(iter(self._contender.points.values())))
        for label, settings in self._contender.points.items():
            for number in range(FEWEST):
                self._search(number, 10, settings)
            ten, hundred = (self._series(k, settings) for k in (10, 100))
            self._tell({"point": label, "k10": ten, "k100": hundred})
            recalls[label] = ten["recall"]
            if ten["recall"] >= ENOUGH:
                break
        best = max(recalls, key=recalls.__getitem__)
        chosen = next((label for label, recall in recalls.items() if recall >= TARGET), best)
        self._tell({"chosen": chosen})
        return chosen

    def _filters(self, chosen: str) -> None:
        """Ask under each filter: at the chosen settings, or at the first dearer ones that reach the target there."""
        points = self._contender.points
        for name in FILTERED if self._contender.filters else ():
            self._series(10, points[chosen], name)  # unmeasured: other rows are compared than without a filter
            for label in list(points)[list(points).index(chosen) :]:
                ten = self._series(10, points[label], name)
                self._tell({"filter": name, "point": label, "k10": ten})
                if ten["recall"] >= TARGET:
                    break

    def _series(self, k: int, settings: Settings, name: str = "all") -> dict[str, Any]:
        """Ask one query after the other; return milliseconds and recall."""
        judge = Judge(self._made, name, k)
        spent, recalls = [], []
        until = time.perf_counter() + SECONDS
        for number in range(len(self._made.queries)):
            if number >= FEWEST and time.perf_counter() > until:
                break
            milliseconds, rows = self._search(number, k, settings, name)
            spent.append(milliseconds)
            recalls.append(judge.recall(number, rows))
        return {**quantiles(spent), "recall": float(np.nanmean(recalls)), "queries": len(spent)}

    def _search(self, number: int, k: int, settings: Settings, name: str = "all") -> tuple[float, list[int]]:
        where = None if name == "all" else (name, asked_tag(number, name))
        question = self._contender.encode(self._made.queries[number % len(self._made.queries)], k, where)
        started = time.perf_counter()
        rows = self._contender.search(question, settings)
        return (time.perf_counter() - started) * 1000, [int(row) for row in rows]

    def _together(self, settings: Settings) -> None:
        """Ask from several threads at once."""
        questions = [self._contender.encode(query, 10, None) for query in self._made.queries]
        until = time.perf_counter() + SECONDS / 2

        def count(place: int) -> int:
            for answered, question in enumerate(cycle(questions[place::THREADS])):
                if time.perf_counter() > until:
                    return answered
                self._contender.search(question, settings)
            return 0

        with ThreadPoolExecutor(THREADS) as pool:
            answered = sum(pool.map(count, range(THREADS)))
        self._tell({"queries_per_second": answered / (SECONDS / 2)})

    def _held(self, before: float) -> None:
        pid = self._contender.process()
        figures = {"anonymous": memory.held(pid).anonymous, "mapped": memory.mapped(pid, self._home)}
        self._tell({**figures, "before": before if pid == os.getpid() else 0.0})

    def _cold(self, settings: Settings) -> None:
        """Ask with nothing of the files in memory."""
        spent = []
        for number in range(COLD):
            memory.forget(self._home)
            spent.append(self._search(FEWEST + number, 10, settings)[0])
        self._tell({"cold": quantiles(spent)})


def quantiles(milliseconds: Sequence[float]) -> dict[str, float]:
    """Return the median and the 99th percentile."""
    p50, p99 = np.percentile(milliseconds, (50, 99))
    return {"p50": float(p50), "p99": float(p99)}


def main() -> None:
    """Measure one step of one contender."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=["build", "ask"])
    parser.add_argument("name")
    parser.add_argument("--set", type=Path, required=True)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--results", type=Path, required=True)
    options = parser.parse_args()
    with options.results.open("a") as out:
        trial = Trial(make(options.name), Dataset(options.set), options.home, lambda line: _append(out, line))
        trial.build() if options.step == "build" else trial.ask()


def _append(out: Any, line: dict[str, Any]) -> None:
    out.write(json.dumps(line) + "\n")
    out.flush()


if __name__ == "__main__":
    main()
