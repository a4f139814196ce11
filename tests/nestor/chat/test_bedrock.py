"""Amazon Bedrock's Converse, over real HTTP against a stand-in that holds requests to the service model."""

from collections.abc import Iterator

import pytest
from tests.standins.converse import Converse, conversing, said

from nestor.adapters.models.bedrock import BedrockModel, client
from nestor.errors import InvalidInput, ModelFailed, ModelThrottled, ModelUnavailable
from nestor.ports import Message, Usage

ASKED = [Message("user", ("one", b"\xff\xd8jpeg", "two")), Message("assistant", ("three",)), Message("user", ("four",))]


@pytest.fixture
def service() -> Iterator[Converse]:
    """Return the stand-in."""
    with conversing() as service:
        yield service


def model(service: Converse) -> BedrockModel:
    """Return a model that speaks to it."""
    return BedrockModel(service.client(), model_id="amazon.nova-lite-v1:0")


def test_messages_go_and_pieces_come(service: Converse) -> None:
    """Text and pictures as content blocks, the system prompt apart; the pieces in order, then what was counted."""
    service.frames = said("Built ", "in 1732", " [1].")
    assert list(model(service).stream(ASKED, system="rules")) == ["Built ", "in 1732", " [1].", Usage(12, 3)]
    (asked,) = service.asked
    assert asked["modelId"] == "amazon.nova-lite-v1:0"
    assert asked["system"] == [{"text": "rules"}]
    assert asked["messages"][0]["content"] == [
        {"text": "one"},
        {"image": {"format": "jpeg", "source": {"bytes": b"\xff\xd8jpeg"}}},
        {"text": "two"},
    ]
    assert [message["role"] for message in asked["messages"]] == ["user", "assistant", "user"]
    assert asked["inferenceConfig"] == {"maxTokens": 2_000}


def test_an_answer_at_its_limit_says_so(service: Converse) -> None:
    """It is cut."""
    service.frames = said("Built", stop="max_tokens")
    assert list(model(service).stream(ASKED, system="rules"))[-1] == Usage(12, 3, cut=True)


@pytest.mark.parametrize(
    ("status", "kind", "expected", "match"),
    [
        (429, "ThrottlingException", ModelThrottled, "Try again"),
        (503, "ServiceUnavailableException", ModelUnavailable, "Try again"),
        (403, "AccessDeniedException", ModelFailed, "bedrock:InvokeModelWithResponseStream"),
        (403, "UnrecognizedClientException", ModelFailed, "AWS_PROFILE"),
        (404, "ResourceNotFoundException", ModelFailed, "NESTOR_CHAT_MODEL"),
        (400, "ValidationException", ModelFailed, "NESTOR_CHAT_PICTURES=off"),
    ],
)
def test_refusals(service: Converse, status: int, kind: str, expected: type[ModelFailed], match: str) -> None:
    """Each tells what to do; those that pass say so by their type."""
    service.error = (status, kind, "No.")
    with pytest.raises(ModelFailed, match=match) as caught:
        list(model(service).stream(ASKED, system="rules"))
    assert type(caught.value) is expected


def test_a_failure_in_the_stream_is_an_error_after_the_pieces(service: Converse) -> None:
    """What came before was given."""
    service.frames = [*said("Built ")[:2], ("!throttlingException", {"message": "slow down"})]
    pieces = model(service).stream(ASKED, system="rules")
    assert next(pieces) == "Built "
    with pytest.raises(ModelUnavailable, match="slow down"):
        next(pieces)


def test_a_stream_that_breaks_off_is_an_error(service: Converse) -> None:
    """So is one that a filter ended: neither passes for an answer."""
    service.frames = said("Built ")[:2]
    with pytest.raises(ModelUnavailable, match="before it was complete"):
        list(model(service).stream(ASKED, system="rules"))
    service.frames = said("Bui", stop="guardrail_intervened")
    with pytest.raises(ModelFailed, match="guardrail_intervened"):
        list(model(service).stream(ASKED, system="rules"))


def test_nobody_there() -> None:
    """A service that is gone is an error that passes."""
    with conversing() as service:
        unreachable = model(service)
    with pytest.raises(ModelUnavailable, match="cannot be reached"):
        list(unreachable.stream(ASKED, system="rules"))


def test_what_a_client_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A region and credentials; the errors name what to set."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(InvalidInput, match="AWS_REGION"):
        client()
    with pytest.raises(ModelFailed, match="AWS_PROFILE"):
        client(region="us-east-1")
