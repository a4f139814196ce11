"""Strategies, comparison, prices and reindexing as the user meets them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.nestor.cli.conftest import Command, run

from nestor.cli.search import STRATEGIES
from nestor.strategies import NAMES

QUESTION = "three apes hugging"


def test_the_help_names_every_strategy() -> None:
    """The command line starts without importing them, and still knows them all."""
    assert STRATEGIES == NAMES


def test_strategies_of_the_full_size_agree(look: Command) -> None:
    """The same first hits; what each took is told."""
    answers = {
        name: look("search", QUESTION, "--strategy", name, "--top-k", 3, "--json").json
        for name in ("direct", "hierarchical", "refetch")
    }
    first = {name: [hit["key"] for hit in answer["hits"]] for name, answer in answers.items()}
    assert first["hierarchical"][0] == first["refetch"][0] == first["direct"][0]
    assert {name: answer["strategy"] for name, answer in answers.items()} == {name: name for name in answers}
    spent = {name: answer["spent"] for name, answer in answers.items()}
    assert spent["direct"]["requests"] == spent["hierarchical"]["requests"] == 1
    assert spent["hierarchical"]["fallbacks"] == 0
    assert spent["refetch"]["requests"] > 1
    assert set(answers["refetch"]["took_ms"]) == {"embed", "vectors", "fetch", "rerank", "total"}


def test_a_strategy_that_lacks_something_says_so(look: Command) -> None:
    """Exit code 2 and what to give; a text that is not searchable is the store's error."""
    answer = look("search", QUESTION, "--strategy", "manual")
    assert (answer.code, "--placeholder" in answer.err) == (2, True)
    answer = look("search", QUESTION, "--strategy", "hybrid")
    assert (answer.code, "`nestor setup`" in answer.err) == (4, True)


def test_cost_gives_every_strategy(look: Command) -> None:
    """In the documented shape, for each number of segments."""
    document = look("cost", "--segments", 1_000_000, "--queries", 2_000_000, "--json").json
    rows = document["strategies"]
    assert {row["strategy"] for row in rows} == set(NAMES)
    for row in rows:
        assert {"strategy", "dimension", "storage_usd", "load_usd", "query_usd"} <= row.keys()
    direct = {row["dimension"]: row for row in rows if row["strategy"] == "direct"}
    assert set(direct) == {256, 384, 1024, 3072}
    assert direct[3072]["query_usd"] > 3 * direct[256]["query_usd"]
    assert document["prices"]["read_on"] == "2026-10-04"
    refetch = [each["segments"] for each in document["break_even"] if each["cheaper"].startswith("refetch")]
    assert all(segments > 1_000_000 for segments in refetch)


def test_cost_in_words(look: Command) -> None:
    """A table for each number, the break-evens, and what is unverified."""
    answer = look("cost", "--segments", 1000, "--segments", 50_000_000)
    assert answer.code == 0
    assert "50,000,000 segments, 1,000,000 questions a month" in answer.out
    assert "refetch 256→3072 is cheaper than direct 3072 (queries) from 2,3" in answer.out
    assert "never compared with a bill" in answer.err


def test_compare_on_what_is_stored(look: Command, tmp_path: Path) -> None:
    """Direct search over everything is exact here, the recommendation is one of the rows, the page is written."""
    page = tmp_path / "report.html"
    answer = look("compare", "--sample", 20, "--report", page, "--json")
    assert answer.code == 0, answer.err
    rows = {row["label"]: row for row in answer.json["measured"]}
    assert rows["direct 3072"]["recall"] == 1.0
    assert rows["hierarchical 256→3072, 100"]["recall"] > 0.97
    assert rows["direct 256"]["recall"] < 1
    assert answer.json["recommended"]["label"] in rows
    assert answer.json["questions"] == 20
    assert page.read_text().startswith("<!doctype html>")


def test_compare_by_given_questions(look: Command, tmp_path: Path) -> None:
    """One a line; none, or no file, is told."""
    path = tmp_path / "questions.txt"
    path.write_text(f"{QUESTION}\n\na telescope\n")
    answer = look("compare", "--questions", path, "--top-k", 3)
    assert answer.code == 0, answer.err
    assert "Use " in answer.out
    path.write_text("\n")
    assert look("compare", "--questions", path).code == 2
    assert look("compare", "--questions", tmp_path / "none").code == 2


@pytest.fixture
def own(library: Path, tmp_path: Path) -> Callable[..., object]:
    """Return a function that runs a command on a copy of the library."""
    home = shutil.copytree(library, tmp_path / "home")
    return lambda *arguments: run(home, *arguments)


def test_reindex_takes_codes_away_and_gives_them_back(own: Command) -> None:
    """Without codes a hierarchical search falls back, and the user is told how to mend it."""
    answer = own("reindex", "--no-codes", "--json")
    assert set(answer.json["written"]) == {"embeddings-256d", "embeddings-384d"}
    answer = own("search", QUESTION, "--strategy", "hierarchical")
    assert "had no code and were fetched: `nestor reindex --codes`" in answer.err
    assert own("reindex", "--codes").code == 0
    found = own("search", QUESTION, "--strategy", "hierarchical", "--json")
    assert found.json["spent"]["fallbacks"] == 0


def test_reindex_needs_to_be_told_what(own: Command) -> None:
    """Exit code 2."""
    answer = own("reindex")
    assert (answer.code, "--add" in answer.err) == (2, True)
    assert json.loads(own("reindex", "--drop", 384, "--json").out)["indexes"] == [
        "embeddings-256d",
        "embeddings-1024d",
        "embeddings-3072d",
    ]
