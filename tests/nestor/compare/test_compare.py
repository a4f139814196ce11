"""What `nestor compare` tells, against arithmetic done another way."""

import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nestor.compare import (
    Comparison,
    Measured,
    Sample,
    Truth,
    advice,
    conclude,
    contenders,
    exhaustive,
    measure,
    ndcg,
    recall,
    sampled,
)
from nestor.domain import Embedding, Metadata
from nestor.errors import InvalidInput
from nestor.ports import VectorRow
from nestor.prices import Plan, prices
from nestor.report import html
from nestor.wiring import Nestor


def rows(count: int) -> Embedding:
    """Return rows of any length."""
    return np.random.default_rng(4).standard_normal((count, 3072)).astype(np.float32)


def test_exhaustive_answers_are_those_of_plain_sorting() -> None:
    """Over several blocks; who asks is no answer; the nearest has the most gain."""
    table = rows(2_500)
    samples = [Sample(table[number] / np.linalg.norm(table[number]), own_key=str(number)) for number in (3, 1_500)]
    truth = exhaustive((VectorRow(str(at), row, {"page": 1}) for at, row in enumerate(table)), samples, k=10)
    wide = table.astype(np.float64)
    for sample, gains in zip(samples, truth.answers, strict=True):
        similarity = wide @ sample.embedding / np.linalg.norm(wide, axis=1)
        order = [str(at) for at in np.argsort(-similarity) if str(at) != sample.own_key][:10]
        assert gains == {key: 10.0 - rank for rank, key in enumerate(order)}
    assert truth.rows == 2_500


def test_rows_as_near_as_the_last_are_right_answers_too() -> None:
    """Three copies of one row compete for two places."""
    table = np.stack([rows(1)[0]] * 3 + list(rows(5)[1:]))
    sample = Sample(table[0] / np.linalg.norm(table[0]))
    truth = exhaustive((VectorRow(str(at), row, {}) for at, row in enumerate(table)), [sample], k=2)
    assert truth.answers[0].keys() == {"0", "1", "2"}
    assert recall(["2", "0"], truth.answers[0], 2) == 1.0


def test_the_sizes_of_the_rows_are_means() -> None:
    """Key and filterable metadata apart from what is only carried."""
    told: list[Metadata] = [{"page": 1, "text": "abc"}, {"page": 1, "text": "abcde"}]
    truth = exhaustive((VectorRow("k", row, each) for row, each in zip(rows(2), told, strict=True)), [sample()], k=1)
    assert truth.filterable_bytes == 1 + len('{"page":1}')
    assert truth.text_bytes == len('{"text":"abcd"}')


def test_under_a_filter_only_what_matches_is_an_answer() -> None:
    """As plain sorting of the matching rows; counts and the page say under what."""
    table = rows(1_500)
    told: list[Metadata] = [{"page": at % 50} for at in range(len(table))]
    asked = Sample(table[7] / np.linalg.norm(table[7]))
    some = [VectorRow(str(at), row, each) for at, (row, each) in enumerate(zip(table, told, strict=True))]
    truth = exhaustive(some, [asked], k=10, where={"page": {"$gte": 48}})
    wide = table.astype(np.float64)
    similarity = wide @ asked.embedding / np.linalg.norm(wide, axis=1)
    right = [str(at) for at in np.argsort(-similarity) if at % 50 >= 48][:10]
    assert truth.answers[0] == {key: 10.0 - rank for rank, key in enumerate(right)}
    assert (truth.rows, truth.matching) == (1_500, 60)
    with pytest.raises(InvalidInput, match="None of the 1,500 segments matches"):
        exhaustive(some, [asked], k=10, where={"page": 99})
    named = conclude(
        GOOD, replace(truth, where={"file_name": "<b>"}), k=10, plan=Plan(segments=1, queries=1), prices=prices()
    )
    assert "60 segments that match <code>{&quot;file_name&quot;:&quot;&lt;b&gt;&quot;}</code>" in html(named)


def test_every_question_is_asked_under_the_filter(nestor: Nestor, tmp_path: Path) -> None:
    """All strategies return only what matches, so their recall is that of the filtered answers."""
    files = [tmp_path / f"{number}.{'md' if number % 3 else 'txt'}" for number in range(6)]
    for path in files:
        path.write_text(f"text number {path.stem}")
    assert [outcome.segments for outcome in nestor.ingest.run(files)] == [1] * 6
    samples = sampled(nestor.store, 4)
    where = {"file_name": {"$in": ["0.txt", "3.txt"]}}
    truth = exhaustive(nestor.store.rows(3072), samples, k=2, where=where)
    assert truth.matching == 2
    for contender in contenders(nestor.store, words=False):
        plan = Plan(segments=6, queries=1)
        measured = measure(contender, samples, truth, k=2, plan=plan, prices=prices())
        allowed = {key for answers in truth.answers for key in answers}
        assert set().union(*measured.found) <= allowed
        assert measured.recall == 1.0, contender.label


def sample() -> Sample:
    """Return a question."""
    return Sample(rows(1)[0])


def test_nothing_stored_is_an_error() -> None:
    """No table of zeros."""
    with pytest.raises(InvalidInput, match="empty"):
        exhaustive([], [sample()], k=10)


def test_quality_by_hand() -> None:
    """Two of three found, the first in the wrong place."""
    gains = {"a": 3.0, "b": 2.0, "c": 1.0}
    assert recall(["b", "a", "x"], gains, 3) == pytest.approx(2 / 3)
    ideal = 3 + 2 / math.log2(3) + 1 / 2
    assert ndcg(["b", "a", "x"], gains, 3) == pytest.approx((2 + 3 / math.log2(3)) / ideal)
    assert ndcg(["a", "b", "c"], gains, 3) == 1.0
    assert ndcg(["x", "y", "z"], gains, 3) == 0.0


def one(label: str, recall: float, month_usd: float, **more: Any) -> Measured:
    """Return a contender that did so well."""
    strategy, _, rest = label.partition(" ")
    coarse, _, candidates = rest.partition("/")
    values: dict[str, Any] = {
        "label": label,
        "strategy": strategy,
        "dimension": 3072 if candidates else int(coarse),
        "coarse": int(coarse) if candidates else None,
        "candidates": int(candidates or 0),
        "recall": recall,
        "month_usd": month_usd,
        "found": (frozenset({"a", label}),),
    }
    zeros = dict.fromkeys(
        ("ndcg", "p50_ms", "p99_ms", "requests", "returned_bytes", "processed_bytes", "fallbacks"), 1.0
    )
    return Measured(**(zeros | {"storage_usd": 1.0, "query_usd": 1.0} | values | more))


GOOD = [
    one("direct 256", 0.7, 5),
    one("direct 3072", 1.0, 30),
    one("hierarchical 256/100", 0.995, 6),
    one("hierarchical 384/400", 0.999, 16),
]


def test_the_cheapest_that_is_good_enough_is_recommended() -> None:
    """With its recall and what it saves."""
    told = advice(GOOD, k=10)
    assert told.label == "hierarchical 256/100"
    assert "99.5%" in told.reason
    assert "$6.00 a month where direct 3072 takes $30.00" in told.reason
    assert "do not suffice" not in told.reason


def test_it_says_when_256_does_not_suffice_and_what_does() -> None:
    """The small funnel fails, 384 components with more candidates do it."""
    told = advice([replace(GOOD[2], recall=0.93), *GOOD[:2], GOOD[3]], k=10)
    assert told.label == "hierarchical 384/400"
    assert "by 256 components do not suffice on this data: 93.0% with 100; 400 candidates by 384 do" in told.reason


def test_it_proposes_384_and_more_candidates_where_no_funnel_suffices() -> None:
    """And recommends what is exact."""
    told = advice([replace(GOOD[2], recall=0.3), GOOD[1], replace(GOOD[3], recall=0.8)], k=10)
    assert told.label == "direct 3072"
    assert "take candidates by 384 components and more than 400 of them (these give 80.0%)" in told.reason


def test_it_says_when_nothing_is_good_enough() -> None:
    """The best there is, called that."""
    told = advice([GOOD[0], replace(GOOD[1], recall=0.98)], k=10)
    assert (told.label, told.reason.startswith("Nothing here finds 99%")) == ("direct 3072", True)


def conclusion() -> Comparison:
    """Return a comparison of the four."""
    truth = Truth(({"a": 1.0},), 100, 50, 100)
    return conclude(GOOD, truth, k=10, plan=Plan(segments=100, queries=1), prices=prices())


def test_agreement_is_the_share_in_common() -> None:
    """One of two keys; all of one's own."""
    agreement = conclusion().agreement
    assert agreement[0] == (1.0, 0.5, 0.5, 0.5)
    assert [agreement[at][at] for at in range(4)] == [1.0] * 4


class Page(HTMLParser):
    """Looks for what loads something, and for tags that do not match."""

    def __init__(self) -> None:
        """Begin."""
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the tag."""
        assert not {name for name, _ in attrs} & {"src", "href"}
        assert tag not in {"script", "link", "img"}
        self.tags.append(tag)
        if tag not in {"meta", "circle", "rect", "path"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the tag."""
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Check that it closes the last one."""
        if tag not in {"circle", "rect"}:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep the words."""
        self.texts.append(data)


def test_the_page_is_whole_and_loads_nothing() -> None:
    """Tags match, plots have a point a contender, the map a cell a pair, names are escaped."""
    comparison = replace(conclusion(), measured=(replace(GOOD[0], label="<b>"), *GOOD[1:]))
    text = html(comparison)
    page = Page()
    page.feed(text)
    assert page.open == []
    assert (page.tags.count("circle"), page.tags.count("rect")) == (2 * 4, 16)
    assert "b" not in page.tags
    assert "hierarchical 256/100" in page.texts
    assert "http" not in re.sub(r"<[^>]*>", "", text)
    assert "nan" not in text.lower()


def test_a_page_of_equal_values_has_finite_places() -> None:
    """An axis of no extent."""
    same = tuple(replace(each, recall=1.0, month_usd=0.0) for each in GOOD)
    assert "nan" not in html(replace(conclusion(), measured=same)).lower()
