import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3vectors_local.iam import patterns

ALPHABET = st.text("ab.\\[(\n", max_size=8)


def _naive(pattern: str, value: str) -> bool:
    """Match by the definition: a star is nothing, or one more character."""
    if not pattern:
        return not value
    if pattern[0] == "*":
        return _naive(pattern[1:], value) or (bool(value) and _naive(pattern, value[1:]))
    return bool(value) and pattern[0] in ("?", value[0]) and _naive(pattern[1:], value[1:])


@given(st.text("ab.\\[(\n*?", max_size=8), ALPHABET)
def test_wildcards(pattern: str, value: str) -> None:
    """A pattern matches what its definition says, whatever the other characters."""
    assert (patterns.text(pattern).fullmatch(value) is not None) == _naive(pattern, value)


@given(st.lists(st.text("aB:*?", max_size=6), min_size=1, max_size=3), st.text("aAbB:", max_size=6))
def test_actions(wanted: list[str], value: str) -> None:
    """One of several patterns must match; letters match in either case."""
    expected = any(_naive(each.lower(), value.lower()) for each in wanted)
    assert (patterns.actions(wanted).fullmatch(value) is not None) == expected


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        ("*", "anything:at all", True),
        ("*", "*", True),
        ("arn:aws:s3vectors:*:*:bucket/demo", "arn:aws:s3vectors:us-east-1:000000000000:bucket/demo", True),
        ("arn:aws:s3vectors:*:*:bucket/demo", "arn:aws:s3vectors:us-east-1:000000000000:bucket/Demo", False),
        ("arn:aws:s3vectors:*:*:bucket/demo", "arn:aws:s3vectors:us-east-1:000000000000:bucket/demo/index/a", False),
        ("arn:aws:s3vectors:*:*:bucket/demo/*", "arn:aws:s3vectors:us-east-1:000000000000:bucket/demo/index/a", True),
        ("arn:aws:s3vectors:*:*:bucket/demo/*", "arn:aws:s3vectors:us-east-1:000000000000:bucket/demo", False),
        ("arn:aws:s3vectors:*:*:bucket/*", "arn:aws:s3vectors:us-east-1:000000000000:bucket/demo/index/a", True),
        ("arn:aws:s3vectors:*:bucket/demo", "arn:aws:s3vectors:us-east-1:000000000000:bucket/demo", False),
        ("arn:aws:s3vectors:us-*-1:*:*", "arn:aws:s3vectors:us-east-1:000000000000:bucket/demo", True),
        ("arn:aws:s3vectors:us-????-1:*:*", "arn:aws:s3vectors:us-east-1:000000000000:bucket/demo", True),
        ("arn:aws:s3vectors", "arn:aws:s3vectors:us-east-1:000000000000:bucket/demo", True),
        ("arn:aws:s3", "arn:aws:s3vectors:us-east-1:000000000000:bucket/demo", False),
        ("arn:aws:s3vectors:*:*:bucket/*", "*", False),
        ("arn:aws:a*:b:c:d", "arn:aws:a:x:b:c:d", False),
        ("arn:aws:a?x:b:c:d", "arn:aws:a:x:b:c:d", False),
        ("arn:aws:a:b:c:*", "arn:aws:a:b:c:d:e", True),
    ],
)
def test_arns(pattern: str, value: str, expected: bool) -> None:
    """A wildcard stays inside its field of an ARN, except in the last; fields left out are any."""
    assert (patterns.resources([pattern]).fullmatch(value) is not None) is expected


def test_no_pattern_is_slow() -> None:
    """A pattern made to be slow is not."""
    compiled = patterns.text("*a" * 200 + "b")
    started = time.perf_counter()
    assert compiled.fullmatch("a" * 20_000) is None
    assert time.perf_counter() - started < 2
