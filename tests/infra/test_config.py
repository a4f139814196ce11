"""The settings of an environment."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from infra.config import Api, Environment, Functions, environment_of, load
from infra.tables import ConfigFault
from nestor.functions import questions


def test_the_shipped_environments_are_valid() -> None:
    """Dev and prod load; only prod is for production, and it is closed."""
    dev, prod = load("dev"), load("prod")
    assert (dev.production, prod.production) == (False, True)
    assert dev.api.authorizer == prod.api.authorizer == "iam"


def test_attempts_fit_into_the_time_of_a_question() -> None:
    """All that one call to a stalled service may take, with pauses of a second, is less than the function has."""
    most = questions.QUERY_ATTEMPTS * (questions.READ_SECONDS + 1)
    assert most < min(Functions().query_handler.timeout_seconds, Functions().api.timeout_seconds)


def test_a_part_of_a_size_can_be_changed() -> None:
    """What a table does not name keeps its default."""
    changed = environment_of({"name": "x", "functions": {"plan": {"reserved_concurrency": 0}}})
    assert changed.functions.plan == dataclasses.replace(Environment(name="x").functions.plan, reserved_concurrency=0)
    assert changed.functions.forget == Environment(name="x").functions.forget


@pytest.mark.parametrize(
    ("placeholder", "place"),
    [
        ("s3://b-1/a/c", ("b-1", "a/c/")),
        ("s3://b-1/a/", ("b-1", "a/")),
        ("s3://b-1/", ("b-1", "")),
        ("s3://b-1", ("b-1", "")),
    ],
)
def test_a_placeholder_is_a_bucket_and_a_folder_in_it(placeholder: str, place: tuple[str, str]) -> None:
    """What begins with the same letters lies elsewhere."""
    assert environment_of({"name": "x", "placeholder": placeholder}).placeholder_place == place


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({}, "name must be set"),
        ({"name": "Dev"}, "name is 'Dev'"),
        ({"name": "x", "regoin": "us-east-1"}, "regoin is no setting"),
        ({"name": "x", "region": "Virginia"}, "region is 'Virginia'"),
        ({"name": "x", "account": "12"}, "account is '12'"),
        ({"name": "x", "vector_bucket": "No_Bucket"}, "vector_bucket is 'No_Bucket'"),
        ({"name": "x", "log_days": 8}, "log_days is 8"),
        ({"name": "x", "log_days": True}, "log_days is True; it must be a whole number"),
        ({"name": "x", "log_level": "LOUD"}, "log_level is 'LOUD'"),
        ({"name": "x", "tags": {"a": 1}}, "tags is {'a': 1}"),
        ({"name": "x", "api": 3}, "api is 3; it must be a table"),
        ({"name": "x", "api": {"authorizer": "open"}}, "api.authorizer is 'open'; it must be one of 'iam'"),
        ({"name": "x", "api": {"authorizer": "jwt"}}, "set api.jwt_issuer"),
        ({"name": "x", "api": {"chat_model": "a model"}}, "chat_model is 'a model'"),
        ({"name": "x", "api": {"chat_model": "m", "application": False}}, "POST /chat is a part of it"),
        ({"name": "x", "api": {"allowed_origins": ["*"]}}, r"allowed_origins is '\*'"),
        ({"name": "x", "production": True, "api": {"authorizer": "none"}}, "in production: choose 'iam' or 'jwt'"),
        ({"name": "x", "functions": {"plan": {"memory_mib": 64}}}, "memory_mib is 64; it must be 128 to 10,240"),
        ({"name": "x", "pipeline": {"batches_at_once": 41}}, "batches_at_once is 41"),
        ({"name": "x", "pipeline": {"retry_seconds": 0}}, "retry_seconds is 0"),
        ({"name": "x", "embedding": {"segment_seconds": 31}}, "segment_seconds is 31"),
        ({"name": "x", "indexes": {"mode": "CLASSIC"}}, "needs 'ENHANCED'"),
        ({"name": "x", "placeholder": "bucket/prefix"}, "placeholder is 'bucket/prefix'"),
        ({"name": "x", "questions": {"strategy": "manual"}}, "set placeholder, too"),
        ({"name": "x", "questions": {"shadow_rate": 1.5}}, "shadow_rate is 1.5; it must be 0 to 1"),
        ({"name": "x", "questions": {"shadow_rate": True}}, "shadow_rate is True; it must be a number"),
        ({"name": "x", "questions": {"remembered_days": -1}}, "remembered_days is -1"),
        ({"name": "x", "alarms": {"emails": ["nobody"]}}, "emails is 'nobody'"),
        ({"name": "x", "alarms": {"topic_arn": "topic"}}, "topic_arn is 'topic'"),
        (
            {"name": "x", "alarms": {"emails": ["a@b.c"], "topic_arn": "arn:aws:sns:us-east-1:123456789012:a"}},
            "choose one",
        ),
        ({"name": "x", "alarms": {"recall": 2}}, "recall is 2.0; it must be 0 to 1"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else "",
)
def test_what_makes_no_sense_is_refused_by_name(table: dict[str, Any], words: str) -> None:
    """The message names the setting and what it may be."""
    with pytest.raises(ConfigFault, match=words):
        environment_of(table)


def test_an_unknown_environment_names_the_known_ones(tmp_path: Path) -> None:
    """With the file that would have to be written; a file must be of the name that it says."""
    (tmp_path / "one.toml").write_text('name = "two"')
    with pytest.raises(ConfigFault, match=r"no environment 'nine'.*use one of one"):
        load("nine", folder=tmp_path)
    with pytest.raises(ConfigFault, match=r"one\.toml: name is 'two'"):
        load("one", folder=tmp_path)


def test_the_door_is_closed_by_default() -> None:
    """Nobody gets in without IAM, unless an environment says otherwise."""
    assert Api().authorizer == "iam"
