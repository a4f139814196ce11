"""The formula against worked examples, and plans against arithmetic done by hand."""

from dataclasses import replace

import pytest

from nestor.prices import Index, Plan, Query, break_evens, everything, load_usd, priced, prices, query_usd, storage_usd
from nestor.prices.plan import one

MILLION = 1_000_000


def example(dimension: int) -> Index:
    """Return a million vectors with key and filterable metadata of 200 bytes."""
    return Index(vectors=MILLION, dimension=dimension, filterable_bytes=200)


@pytest.mark.parametrize(
    ("dimension", "storage", "load", "query"),
    [(1024, 0.26, 0.86, 0.000012), (3072, 0.75, 2.50, 0.000030)],
    ids=["1024", "3072"],
)
def test_the_worked_examples(dimension: int, storage: float, load: float, query: float) -> None:
    """A million vectors: storage and load to the cent, a query to the digits that the example gives."""
    index = example(dimension)
    assert round(storage_usd(index, prices()), 2) == storage
    assert round(load_usd(index, prices()), 2) == load
    assert round(query_usd(index, Query(hits=10), prices()), 6) == query


def test_the_parts_of_a_query() -> None:
    """$0.0000095 for what is processed, $0.0000025 for the request; a million queries about $12."""
    processed = prices().processed_usd(MILLION, bytes_each=4296)
    assert round(processed, 7) == 0.0000095
    assert round(MILLION * query_usd(example(1024), Query(hits=10), prices())) == 12


def test_the_providers_own_example_in_binary_units() -> None:
    """10 million vectors in 40 indexes, a sixth of them written anew, a million queries: $11.38 a month."""
    binary = replace(prices(), bytes_per_kb=1024)
    kb = 1024
    index = Index(vectors=250_000, dimension=1024, filterable_bytes=1.17 * kb, carried_bytes=kb)
    rewritten = replace(index, vectors=250_000 * 0.1667)
    month = (
        round(40 * storage_usd(index, binary), 2)
        + round(40 * load_usd(rewritten, binary), 2)
        + MILLION * query_usd(index, Query(hits=10), binary)
    )
    assert month == pytest.approx(11.38, abs=0.02)


def test_a_small_put_is_billed_as_128_kb() -> None:
    """One vector at a time costs about thirty times as much."""
    index = example(1024)
    assert load_usd(index, prices(), batch=1) == pytest.approx(MILLION * 128_000 / 1e9 * 0.20)
    assert 29 < load_usd(index, prices(), batch=1) / load_usd(index, prices()) < 31


def test_above_ten_million_the_last_tier_counts() -> None:
    """Tier by tier, by hand."""
    by_hand = (1e5 * 0.004 + 9.9e6 * 0.002 + 1e7 * 0.0004) * 1000 / 1e12
    assert prices().processed_usd(2e7, bytes_each=1000) == pytest.approx(by_hand)


def test_what_returns_beyond_the_free_part_costs() -> None:
    """200 hits of 5,000 bytes: two pages, 488 KB to pay."""
    index = Index(vectors=1, dimension=256, filterable_bytes=400, carried_bytes=4600)
    by_hand = 2 * 2.5e-6 + 488_000 / 1e9 * 0.01 + 1424 * 0.004 / 1e12
    assert query_usd(index, Query(hits=200), prices()) == pytest.approx(by_hand)


def test_100_hits_with_codes_return_for_nothing() -> None:
    """The reason why a row with its code has 5,000 bytes."""
    index = Plan(segments=1, queries=1).index(256, coded=True)
    assert query_usd(index, Query(hits=100), prices()) == pytest.approx(2.5e-6, abs=1e-10)


def test_the_figures_of_the_design() -> None:
    """Per million queries: $30 against $5 at a million segments, ten times the segments about $255 against $28."""
    plan = Plan(segments=MILLION, queries=MILLION, filterable_bytes=200)
    for segments, direct, coded in ((MILLION, 30, 5.2), (10 * MILLION, 255, 27.2)):
        at = replace(plan, segments=segments)
        cost = one(at, prices(), strategy="direct", dimension=3072).query_usd
        assert cost == pytest.approx(direct, rel=0.02)
        cost = one(at, prices(), strategy="hierarchical", dimension=3072, coarse=256).query_usd
        assert cost == pytest.approx(coded, rel=0.02)


def test_refetch_breaks_even_where_the_saving_pays_for_its_request() -> None:
    """By hand: 55 dollars a million fetches, against the 11,264 bytes a vector that are not processed."""
    plan = Plan(segments=MILLION, queries=MILLION)
    found = next(
        each
        for each in break_evens(plan, prices())
        if (each.cheaper, each.than, each.what) == ("refetch 256→3072", "direct 3072", "queries")
    )
    by_hand = (55e-6 / 11264 * 1e12 - 1e5 * 0.004) / 0.002 + 1e5
    assert found.segments == pytest.approx(by_hand, abs=2)
    assert found.until is None
    assert 2_000_000 < by_hand < 3_000_000


def test_a_break_even_is_where_the_cheaper_one_changes() -> None:
    """One segment less, and it is not cheaper yet: for every pair and measure that has such a point."""
    plan = Plan(segments=1, queries=100_000)
    ways = {"refetch 256→3072": ("refetch", 3072, 256), "hierarchical 256→3072": ("hierarchical", 3072, 256)}
    seen = 0
    for found in break_evens(plan, prices()):
        if found.segments is None or found.segments == 1:
            continue
        seen += 1
        strategy, dimension, coarse = ways[found.cheaper]
        for segments, cheaper in ((found.segments - 1, False), (found.segments, True)):
            at = replace(plan, segments=segments)
            funnel = one(at, prices(), strategy=strategy, dimension=dimension, coarse=coarse)
            direct = one(at, prices(), strategy="direct", dimension=int(found.than.split()[1]))
            measure = "query_usd" if found.what == "queries" else "monthly_usd"
            assert (getattr(funnel, measure) < getattr(direct, measure)) == cheaper, found
    assert seen >= 2


def test_every_strategy_is_priced_and_only_the_load_is_once() -> None:
    """Twice the queries, twice their price, the same storage."""
    once, twice = (priced(Plan(segments=5e5, queries=queries), prices()) for queries in (1e5, 2e5))
    assert {each.strategy for each in once} == {"direct", "hierarchical", "refetch", "hybrid", "manual"}
    for less, more in zip(once, twice, strict=True):
        assert more.query_usd == pytest.approx(2 * less.query_usd)
        assert (more.storage_usd, more.load_usd) == (less.storage_usd, less.load_usd)


def test_one_coded_index_is_a_third_of_all_four() -> None:
    """What the design says of storage, codes in the small ones not counted."""
    plan = Plan(segments=MILLION, queries=0, filterable_bytes=200, text_bytes=0)
    four = sum(storage_usd(plan.index(dimension), prices()) for dimension in (256, 384, 1024, 3072))
    coded = storage_usd(plan.index(256, coded=True), prices())
    assert 3.0 < four / coded < 3.8
    assert everything(plan, prices())[0] > four
