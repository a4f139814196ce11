"""What is sent to the model."""

import base64
import json
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from nestor.adapters.nova import EMBEDDER_ID, MODEL_ID
from nestor.adapters.nova.requests import (
    INLINE_BYTES,
    Detail,
    Purpose,
    audio,
    client_token,
    embedder_id,
    format_of,
    image,
    segmented,
    text,
    video,
)
from nestor.domain import Modality
from nestor.errors import InvalidInput

BODY_LIMIT = 25_000_000
"""Of a body, in botocore's model of InvokeModel and in the guide."""


def recorded(folder: Path) -> list[dict[str, Any]]:
    """Return the recorded calls."""
    calls = [json.loads(path.read_text()) for path in sorted((folder / "nova-mme-samples" / "sync").glob("*.json"))]
    assert len(calls) == 8
    return calls


def test_bodies_equal_those_of_recorded_calls(shared_data: Path) -> None:
    """Member by member, for eight calls that the real service accepted."""
    for call in recorded(shared_data):
        params = call["request"]["singleEmbeddingParams"]
        built = text(
            params["text"]["value"],
            purpose=Purpose(params["embeddingPurpose"]),
            truncation=params["text"]["truncationMode"],
            dimension=params.get("embeddingDimension", 3072),
        )
        assert built == call["request"]
        assert call["modelId"] == MODEL_ID


@pytest.mark.parametrize(
    ("body", "modality", "members"),
    [
        (
            image(b"\xff\xd8picture", detail=Detail.DOCUMENT_IMAGE),
            "image",
            {"format": "jpeg", "detailLevel": "DOCUMENT_IMAGE", "source": {"bytes": "/9hwaWN0dXJl"}},
        ),
        (
            audio("s3://source/a.wav", format="wav"),
            "audio",
            {"format": "wav", "source": {"s3Location": {"uri": "s3://source/a.wav"}}},
        ),
        (
            video(b"film"),
            "video",
            {"format": "mp4", "embeddingMode": "AUDIO_VIDEO_COMBINED", "source": {"bytes": "ZmlsbQ=="}},
        ),
    ],
    ids=["image", "audio", "video"],
)
def test_media_have_what_the_guide_requires(body: dict[str, Any], modality: str, members: dict[str, Any]) -> None:
    """Format, source, and the level or mode that the guide names; nothing else."""
    assert body == {
        "taskType": "SINGLE_EMBEDDING",
        "singleEmbeddingParams": {"embeddingPurpose": "GENERIC_INDEX", modality: members},
    }


@pytest.mark.parametrize(
    ("modality", "more", "medium"),
    [
        (
            Modality.TEXT,
            {"characters": 1_000},
            {"truncationMode": "END", "segmentationConfig": {"maxLengthChars": 1_000}},
        ),
        (Modality.AUDIO, {"format": "mp3"}, {"format": "mp3", "segmentationConfig": {"durationSeconds": 5}}),
        (
            Modality.VIDEO,
            {"format": "mov", "seconds": 30.0},
            {
                "format": "mov",
                "embeddingMode": "AUDIO_VIDEO_COMBINED",
                "segmentationConfig": {"durationSeconds": 30},
            },
        ),
        (Modality.IMAGE, {"format": "png"}, {"format": "png"}),
    ],
    ids=str,
)
def test_a_job_has_what_the_guide_requires(modality: Modality, more: dict[str, Any], medium: dict[str, Any]) -> None:
    """The source in S3, and how to cut it, in the modality's own unit and as an integer."""
    built = segmented(modality, "s3://source/key", **more)
    source = {"source": {"s3Location": {"uri": "s3://source/key"}}}
    params = built["segmentedEmbeddingParams"]
    assert built["taskType"] == "SEGMENTED_EMBEDDING"
    assert params[modality.value] == medium | source
    assert params["embeddingPurpose"] == "GENERIC_INDEX"
    assert all(type(value) is int for value in params[modality.value].get("segmentationConfig", {}).values())


def test_the_client_takes_the_envelopes() -> None:
    """The client's own checks find nothing wrong with both calls, the token among them."""
    model = botocore.session.get_session().get_service_model("bedrock-runtime")
    token = client_token("3f" * 12, "any run/ü")
    calls = {
        "InvokeModel": {"modelId": MODEL_ID, "body": json.dumps(text("words")), "contentType": "application/json"},
        "StartAsyncInvoke": {
            "modelId": MODEL_ID,
            "modelInput": segmented(Modality.TEXT, "s3://source/key"),
            "clientRequestToken": token,
            "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://results/async/"}},
        },
    }
    for name, params in calls.items():
        shape = model.operation_model(name).input_shape
        report = ParamValidator().validate(params, shape)
        assert not report.has_errors(), report.generate_report()
    assert token == client_token("3f" * 12, "any run/ü") != client_token("3f" * 12, "another run")
    assert token.isalnum()
    assert token.isascii()


def test_the_largest_medium_stays_below_the_limit_of_a_body() -> None:
    """As many bytes as are let through give a body of less than 25,000,000; one more is refused."""
    whole = bytes(INLINE_BYTES)
    assert len(json.dumps(video(whole))) < BODY_LIMIT
    assert base64.b64decode(video(whole)["singleEmbeddingParams"]["video"]["source"]["bytes"]) == whole
    with pytest.raises(InvalidInput, match="18,000,001 bytes"):
        video(whole + b"\0")


@pytest.mark.parametrize(
    ("build", "complaint"),
    [
        (lambda: text(" \n"), "no text"),
        (lambda: text("a" * 8_193), "8,193 characters"),
        (lambda: image(b"x", format="jpg"), "'jpg', but gif, jpeg"),
        (lambda: audio(b"x", format="m4a"), "mp3, ogg, wav"),
        (lambda: video(b"x", format="avi"), "'avi'"),
        (lambda: video(b""), "0 bytes"),
        (lambda: image("http://example.com/x"), "s3://bucket/key"),
        (lambda: segmented(Modality.DOCUMENT, "s3://b/k", format="pdf"), "no document"),
        (lambda: segmented(Modality.VIDEO, "s3://b/k", format="mp4", seconds=2.5), "whole seconds, not 2.5"),
        (lambda: segmented(Modality.AUDIO, "s3://b/k", format="mp3", seconds=31), "not 31"),
        (lambda: segmented(Modality.TEXT, "s3://b/k", characters=799), "800 to 50,000"),
    ],
)
def test_what_the_model_would_refuse_is_refused_here(build: Any, complaint: str) -> None:
    """With a sentence that says what is allowed."""
    with pytest.raises(InvalidInput, match=complaint):
        build()


@pytest.mark.parametrize(
    ("content_type", "name"),
    [
        ("image/jpeg", "jpeg"),
        ("audio/mpeg", "mp3"),
        ("audio/wav", "wav"),
        ("video/quicktime", "mov"),
        ("video/x-matroska", "mkv"),
        ("audio/mp4", None),
        ("video/x-msvideo", None),
        ("application/pdf", None),
    ],
)
def test_content_types_in_the_words_of_the_model(content_type: str, name: str | None) -> None:
    """None for what it cannot read as it is."""
    assert format_of(content_type) == name


def test_the_id_of_the_space_names_the_model() -> None:
    """Another model is another space."""
    assert EMBEDDER_ID == embedder_id() == f"nova/{MODEL_ID}"
    assert embedder_id("amazon.other-v1:0") != EMBEDDER_ID
