"""The benchmark's own arithmetic: what it makes, what it counts as right, what it calls a fault."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from bench import dataset, loadreport, plot, report
from bench.dataset import FILTERED, SELECTIONS, asked_tag, from_file, synthetic, tags
from bench.recall import Judge
from bench.steps import Failed, Step


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "CACHE", tmp_path)


def test_a_small_set_is_the_start_of_a_larger_one() -> None:
    """Rows depend on the seed alone, have unit length, and lie in the cache the second time."""
    small, large = synthetic(600, 64), synthetic(6_000, 64)
    assert np.array_equal(small.vectors, large.vectors[:600])
    assert np.allclose(np.linalg.norm(large.vectors, axis=1), 1, atol=1e-6)
    assert not np.array_equal(small.vectors, synthetic(600, 64, seed=1).vectors)
    made = (small.folder / "vectors.npy").stat().st_mtime_ns
    assert (synthetic(600, 64).folder / "vectors.npy").stat().st_mtime_ns == made


def test_the_first_components_hold_more() -> None:
    """Energy falls with the component, and a stored row lies near each query."""
    made = synthetic(5_000, 512)
    energy = (made.vectors**2).mean(axis=0)
    assert energy[:64].mean() > 2 * energy[-64:].mean()
    assert 0.55 < made.similarity()[:, 0].mean() < 0.75


@pytest.mark.parametrize("name", SELECTIONS)
def test_the_truth_is_what_a_full_sort_gives(name: str) -> None:
    """Under every filter, over more than one block; -1 where there are fewer than a hundred."""
    made = synthetic(9_000, 16)
    similarity = made.queries @ made.vectors.T
    numbers = np.arange(made.rows)
    for query in range(0, 500, 50):
        allowed = np.flatnonzero(tags(numbers, name) == asked_tag(query, name))
        best = allowed[np.argsort(-similarity[query, allowed], kind="stable")][:100]
        found = made.truth(name)[query]
        assert np.allclose(similarity[query, found[: len(best)]], similarity[query, best], atol=1e-6)
        assert (found[len(best) :] == -1).all()


def test_tags_are_spread_evenly() -> None:
    """Each number of each selection has its share of the rows."""
    for name in FILTERED:
        counts = np.bincount(tags(np.arange(100_000), name), minlength=SELECTIONS[name])
        assert np.abs(counts - counts.mean()).max() < 5 * counts.mean() ** 0.5


def test_anybodys_rows_are_normalised_and_some_become_queries(tmp_path: Path) -> None:
    """No query is among the rows; nothing else is lost."""
    rows = np.random.default_rng(0).normal(size=(1_000, 8)) * 7
    np.save(tmp_path / "mine.npy", rows)
    made = from_file(tmp_path / "mine.npy")
    assert made.rows + len(made.queries) == 1_000
    assert np.allclose(np.linalg.norm(made.vectors, axis=1), 1, atol=1e-6)
    assert made.similarity()[:, 0].max() < 1 - 1e-6


def test_an_equally_near_row_is_right(tmp_path: Path) -> None:
    """Copies of a row are as good as it, once each; others are not, and fewer answers than k are all there is."""
    rows = np.eye(8, dtype=np.float32)[[0, 0, 1, 2, 3, 4]]
    np.save(tmp_path / "rows.npy", rows)
    np.save(tmp_path / "asked.npy", rows[:1])
    made = from_file(tmp_path / "rows.npy", tmp_path / "asked.npy")
    judge = Judge(made, "all", 1)
    assert [judge.recall(0, [row]) for row in (0, 1, 2)] == [1, 1, 0]
    assert Judge(made, "all", 2).recall(0, [0, 0]) == 0.5


def test_growth_is_taken_after_the_first_sixth() -> None:
    """Warming up and swinging are no growth; more than 5 % afterwards is a fault, and so is any error."""
    done: list[dict[str, Any]] = [{"failures": 0, "errors": [], "queries_per_second": 1, "vectors_per_second": 0}]
    warming = [{"at": at, "anonymous": min(100.0, 10.0 * at)} for at in range(61)]
    leaking = [{"at": at, "anonymous": 100.0 + at / 5} for at in range(61)]
    swinging = [{"at": at, "anonymous": 100.0 + 7 * (at % 8)} for at in range(61)]
    assert loadreport.verdict(done, warming, 60)["faults"] == []
    assert loadreport.verdict(done, swinging, 60)["faults"] == []
    assert "grew by 9" in loadreport.verdict(done, leaking, 60)["faults"][0]
    failing = [{**done[0], "failures": 7, "errors": ["503"]}]
    assert loadreport.verdict(failing, warming, 60)["faults"] == ["7 errors, the first: 503"]


def test_what_was_not_measured_is_a_row(tmp_path: Path) -> None:
    """A contender without figures is in the table with its reason, and not in the plot."""
    series = {"recall": 1.0, "p50": 0.5, "p99": 1.0, "queries": 500}
    lines = [{"point": "ef 1", "k10": series, "k100": series}, {"chosen": "ef 1"}, {"queries_per_second": 10}]
    results = tmp_path / "lines.jsonl"
    results.write_text("\n".join(map(json.dumps, lines)))
    good = report.merged("FAISS IVF", results, None)
    bad = report.merged("zvec HNSW", tmp_path / "none", "build did not finish in 1 s")
    outcome: dict[str, Any] = {"set": {"rows": 10, "dimension": 2}, "contenders": [good, bad]}
    text = report.tables(outcome)
    assert "| FAISS IVF | **ef 1** |" in text
    assert "build did not finish in 1 s" in text
    names = [element.text for element in ET.fromstring(plot.drawing(outcome)).iter() if element.text]  # noqa: S314 - our own
    assert "FAISS IVF" in names
    assert "zvec HNSW" not in names


def test_a_step_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that fails tells its last line."""
    made = synthetic(600, 64)
    with pytest.raises(Failed, match="did not finish in 0 s"):
        Step("engine", made.folder, tmp_path / "out", limit=0.01).run("build", tmp_path)
    with pytest.raises(Failed, match="ask failed: "):
        Step("engine", made.folder, tmp_path / "out", limit=60).run("ask", tmp_path / "nothing")
