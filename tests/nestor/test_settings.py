"""What the environment decides."""

from pathlib import Path

import pytest

from nestor.errors import InvalidInput
from nestor.settings import Settings


def test_nothing_set_means_everything_on_this_machine() -> None:
    """The embedded engine in ~/.nestor."""
    settings = Settings.from_environment(environment={})
    assert settings.home == Path("~/.nestor").expanduser()
    assert (settings.vectors, settings.vector_bucket, settings.endpoint_url) == ("embedded", "nestor", None)


def test_the_option_wins_over_the_variable(tmp_path: Path) -> None:
    """--home beats NESTOR_HOME."""
    environment = {"NESTOR_HOME": "/elsewhere", "VECTOR_BUCKET": "mine"}
    assert Settings.from_environment(home=tmp_path, environment=environment).home == tmp_path
    assert Settings.from_environment(environment=environment).home == Path("/elsewhere")
    assert Settings.from_environment(environment=environment).vector_bucket == "mine"


def test_an_endpoint_means_not_embedded() -> None:
    """NESTOR_ENDPOINT_URL speaks to another S3-Vectors-compatible service."""
    settings = Settings.from_environment(environment={"NESTOR_ENDPOINT_URL": "http://127.0.0.1:1"})
    assert settings.vectors == "aws"


@pytest.mark.parametrize(
    "environment",
    [{"NESTOR_VECTORS": "cloud"}, {"NESTOR_VECTORS": "embedded", "NESTOR_ENDPOINT_URL": "http://127.0.0.1:1"}],
)
def test_refuses_what_makes_no_sense(environment: dict[str, str]) -> None:
    """A value of no meaning, or two that contradict one another."""
    with pytest.raises(InvalidInput, match="NESTOR_VECTORS"):
        Settings.from_environment(environment=environment)


def test_amazon_nova() -> None:
    """Which embedder, which model, and how fast it may be called."""
    environment = {"NESTOR_EMBEDDER": "nova", "NESTOR_MODEL_ID": "m", "NESTOR_REQUESTS_PER_MINUTE": "60"}
    settings = Settings.from_environment(environment=environment)
    assert (settings.embedder, settings.model_id) == ("nova", "m")
    assert (settings.requests_per_minute, settings.concurrency) == (60, 4)
    assert Settings.from_environment(environment={}).embedder == "local"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NESTOR_EMBEDDER", "cohere"),
        ("NESTOR_REQUESTS_PER_MINUTE", "0"),
        ("NESTOR_REQUESTS_PER_MINUTE", "fast"),
        ("NESTOR_CONCURRENCY", "65"),
        ("NESTOR_CONCURRENCY", "-1"),
    ],
)
def test_refuses_a_pace_of_no_meaning(name: str, value: str) -> None:
    """The error names the variable and what it may be."""
    with pytest.raises(InvalidInput, match=f"{name} is {value!r}; it must be"):
        Settings.from_environment(environment={name: value})
