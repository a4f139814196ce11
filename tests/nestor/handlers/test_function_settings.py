from typing import Any

import pytest

from nestor.errors import InvalidInput
from nestor.settings.api import ApiSettings
from nestor.settings.functions import (
    STRATEGIES,
    EmbedSettings,
    ForgetSettings,
    PlanSettings,
    QuerySettings,
    RedriveSettings,
    ShadowSettings,
    StoreSettings,
)
from nestor.settings.migration import MigrateSettings
from nestor.strategies import NAMES

EVERY = [
    PlanSettings,
    EmbedSettings,
    StoreSettings,
    QuerySettings,
    ApiSettings,
    ForgetSettings,
    RedriveSettings,
    ShadowSettings,
    MigrateSettings,
]
ALL = {
    "VECTOR_BUCKET": "vectors",
    "NESTOR_SOURCE_BUCKET": "source",
    "NESTOR_WORK_BUCKET": "work",
    "NESTOR_STATE_BUCKET": "state",
    "NESTOR_DEAD_LETTERS_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/dead-letters",
    "NESTOR_STATE_MACHINE_ARN": "arn:aws:states:us-east-1:123456789012:stateMachine:embedder",
}


@pytest.mark.parametrize("settings", EVERY, ids=lambda each: each.__name__)
def test_required(settings: Any) -> None:
    """With exactly its variables a function starts; each that is missing or empty is named."""
    known = ALL | {"NESTOR_PLACEHOLDER": "s3://old/embeddings"}
    given = {name: known[name] for name in settings.VARIABLES}
    settings.from_environment(given)
    for name in settings.VARIABLES:
        for environment in ({k: v for k, v in given.items() if k != name}, given | {name: " "}):
            with pytest.raises(InvalidInput, match=name):
                settings.from_environment(environment)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NESTOR_SEGMENT_SECONDS", "31"),
        ("NESTOR_SEGMENT_SECONDS", "5.5"),
        ("NESTOR_SEGMENT_CHARACTERS", "799"),
        ("NESTOR_BATCH_SEGMENTS", "0"),
        ("NESTOR_ASYNC_CHARACTERS", "many"),
        ("NESTOR_COLLECTION_FROM_PREFIX", "yes"),
        ("NESTOR_SOURCE_BUCKET", "arn:aws:s3:::source"),
        ("NESTOR_WORK_BUCKET", "s3://steps"),
    ],
)
def test_senseless_values(name: str, value: str) -> None:
    """A value that makes no sense is refused, with the variable and the value."""
    with pytest.raises(InvalidInput, match=name):
        PlanSettings.from_environment(ALL | {name: value})


def test_defaults_and_values() -> None:
    """What is not said is as documented; what is said counts."""
    usual = PlanSettings.from_environment(ALL)
    assert (usual.segment_seconds, usual.segment_characters, usual.batch_segments) == (5, 1_000, 8)
    assert (usual.async_characters, usual.collection_from_prefix) == (200_000, False)
    given = PlanSettings.from_environment(
        ALL | {"NESTOR_COLLECTION_FROM_PREFIX": "True", "NESTOR_SEGMENT_SECONDS": "30"}
    )
    assert (given.collection_from_prefix, given.segment_seconds) == (True, 30)
    assert EmbedSettings.from_environment(ALL | {"NESTOR_REQUESTS_PER_MINUTE": "60"}).requests_per_minute == 60


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("NESTOR_STRATEGY", "best", "hierarchical"),
        ("NESTOR_STRATEGY", "manual", "NESTOR_PLACEHOLDER"),
        ("NESTOR_PLACEHOLDER", "/folder", "s3://"),
        ("NESTOR_SHADOW_RATE", "0.5", "NESTOR_SHADOW_URL"),
        ("NESTOR_SHADOW_RATE", "1.5", "from 0 to 1"),
        ("NESTOR_SHADOW_RATE", "nan", "from 0 to 1"),
        ("NESTOR_QUESTIONS_DAYS", "0", "1 to 3,650"),
        ("NESTOR_RESULT_CACHE_SECONDS", "-1", "0 to 3,600"),
    ],
)
def test_senseless_search(name: str, value: str, told: str) -> None:
    """What would fail with the first question is refused, and the message says how to mend it."""
    with pytest.raises(InvalidInput, match=name) as raised:
        QuerySettings.from_environment(ALL | {name: value})
    assert told in str(raised.value)


def test_search() -> None:
    """By default nothing is kept outside, nothing asked twice, and `direct` answers."""
    usual = QuerySettings.from_environment(ALL)
    assert (usual.strategy, usual.placeholder, usual.questions_table, usual.shadow_rate) == ("direct", "", "", 0.0)
    given = QuerySettings.from_environment(ALL | {"NESTOR_SHADOW_RATE": "0.01", "NESTOR_SHADOW_URL": "https://q"})
    assert (given.shadow_rate, given.shadow_url) == (0.01, "https://q")


def test_strategies() -> None:
    """Every strategy may be the usual one."""
    assert STRATEGIES == NAMES
