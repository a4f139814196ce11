"""What goes wrong on the way comes as an error of Nestor, with the service's code and the cause."""

import socket
from collections.abc import Callable
from typing import Any

import botocore.exceptions
import numpy as np
import pytest

from nestor.adapters.s3vectors import S3Vectors
from nestor.adapters.s3vectors.errors import translated
from nestor.errors import InvalidInput, VectorsDenied, VectorsError, VectorsUnavailable
from nestor.ports import VectorRow

ROW = np.ones(4, dtype=np.float32)
ANSWERS = {
    (403, "AccessDeniedException"): VectorsDenied,
    (401, "UnauthorizedException"): VectorsDenied,
    (408, "RequestTimeoutException"): VectorsUnavailable,
    (429, "TooManyRequestsException"): VectorsUnavailable,
    (500, "InternalServerException"): VectorsUnavailable,
    (502, "BadGateway"): VectorsUnavailable,
    (503, "ServiceUnavailableException"): VectorsUnavailable,
    (400, "ValidationException"): VectorsError,
    (402, "ServiceQuotaExceededException"): VectorsError,
    (404, "NotFoundException"): VectorsError,
    (409, "ConflictException"): VectorsError,
}


def asked(vectors: S3Vectors) -> Any:
    """Ask something."""
    return vectors.query(4, ROW, top_k=1)


@pytest.mark.parametrize(("answer", "kind"), ANSWERS.items(), ids=[code for _, code in ANSWERS])
def test_each_answer_has_its_error(connect: Callable[..., Any], answer: tuple[int, str], kind: type[Exception]) -> None:
    """With the code, the service's sentence, the operation, the endpoint and the cause."""
    status, code = answer
    sent = connect(lambda _: (status, {"__type": code, "message": "So it is."}))
    vectors = S3Vectors(sent.client, bucket="nestor-test")
    with pytest.raises(VectorsError, match=rf"query_vectors at https://s3vectors.*{code}.*So it is\.") as caught:
        asked(vectors)
    assert type(caught.value) is kind
    assert caught.value.code == code
    assert caught.value.retryable is (kind is VectorsUnavailable)
    assert isinstance(caught.value.__cause__, botocore.exceptions.ClientError)


def test_a_closed_port_is_unavailable(connect: Callable[..., Any]) -> None:
    """The endpoint is named."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
        client = connect(None, endpoint_url=endpoint).client
        with pytest.raises(VectorsUnavailable, match=endpoint) as caught:
            asked(S3Vectors(client, bucket="nestor-test"))
        client.close()
    assert caught.value.code == "EndpointConnectionError"
    assert caught.value.retryable


AROUND: dict[str, tuple[Any, type[Exception]]] = {
    "read timeout": (botocore.exceptions.ReadTimeoutError(endpoint_url="e"), VectorsUnavailable),
    "connect timeout": (botocore.exceptions.ConnectTimeoutError(endpoint_url="e"), VectorsUnavailable),
    "closed": (botocore.exceptions.ConnectionClosedError(endpoint_url="e"), VectorsUnavailable),
    "certificate": (botocore.exceptions.SSLError(endpoint_url="e", error="bad"), VectorsError),
    "no credentials": (botocore.exceptions.NoCredentialsError(), VectorsDenied),
    "parameters": (botocore.exceptions.ParamValidationError(report="bad"), InvalidInput),
    "anything else": (botocore.exceptions.BotoCoreError(), VectorsError),
}


@pytest.mark.parametrize(("error", "kind"), AROUND.values(), ids=AROUND)
def test_what_happens_before_an_answer_is_translated_too(error: Any, kind: type[Exception]) -> None:
    """By what the caller can do about it."""
    assert type(translated(error, operation="query_vectors", endpoint="e")) is kind


def test_an_answer_of_something_else_is_no_empty_result(connect: Callable[..., Any]) -> None:
    """A page that says hello is not an S3 Vectors endpoint."""
    sent = connect(lambda _: (200, {"hello": "you"}))
    with pytest.raises(VectorsError, match="is it an S3 Vectors endpoint"):
        asked(S3Vectors(sent.client, bucket="nestor-test"))


def test_a_service_that_repeats_a_page_is_stopped(connect: Callable[..., Any]) -> None:
    """Instead of being asked for ever."""
    sent = connect(lambda _: (200, {"vectors": [], "nextToken": "again"}))
    with pytest.raises(VectorsError, match="repeats"):
        list(S3Vectors(sent.client, bucket="nestor-test").keys(4))
    assert len(sent.requests) == 2


def test_a_put_waits_for_an_index_that_is_only_just_made(connect: Callable[..., Any]) -> None:
    """NotFoundException is tried again for a moment, with growing pauses, then told."""
    late = iter([(404, {"__type": "NotFoundException"})] * 2 + [(200, {})])
    pauses: list[float] = []
    sent = connect(lambda _: next(late))
    S3Vectors(sent.client, bucket="nestor-test", sleep=pauses.append).put(4, [VectorRow("a", ROW, {})])
    assert [len(body["vectors"]) for body in sent.bodies] == [1, 1, 1]
    assert pauses == sorted(pauses)
    assert 0 < sum(pauses) < 1


def test_other_errors_of_a_put_are_told_at_once(connect: Callable[..., Any]) -> None:
    """The client has already retried what is worth it."""
    sent = connect(lambda _: (503, {"__type": "ServiceUnavailableException"}))
    with pytest.raises(VectorsUnavailable):
        S3Vectors(sent.client, bucket="nestor-test").put(4, [VectorRow("a", ROW, {})])
    assert len(sent.requests) == 1


INDEX = {
    "indexName": "embeddings-4d",
    "indexArn": "arn:aws:s3vectors:us-east-1:123456789012:bucket/nestor-test/index/embeddings-4d",
    "dataType": "float32",
    "dimension": 4,
    "distanceMetric": "cosine",
    "metadataConfiguration": {"nonFilterableMetadataKeys": ["code", "text", "source_uri"]},
}


def test_prepare_needs_no_more_rights_than_reading_when_all_is_there(connect: Callable[..., Any]) -> None:
    """A role without CreateIndex can ingest into indexes that a template made."""
    answers = iter([(200, {"index": INDEX}), (200, {"tags": {"nestor:embedder": "me"}})])
    sent = connect(lambda _: next(answers))
    S3Vectors(sent.client, bucket="nestor-test").prepare([4], embedder="me")
    assert [request.method for request in sent.requests] == ["POST", "GET"]
    assert sent.operations[0] == "GetIndex"


def test_prepare_loses_every_race_with_grace(connect: Callable[..., Any]) -> None:
    """Bucket and index appear between the look and the making, and are not known everywhere at once."""
    missing = (404, {"__type": "NotFoundException"})
    taken = (409, {"__type": "ConflictException"})
    tags = (200, {"tags": {"nestor:embedder": "me"}})
    script = iter([missing, missing, taken, missing, taken, missing, (200, {"index": INDEX}), tags])
    sent = connect(lambda _: next(script))
    S3Vectors(sent.client, bucket="nestor-test", sleep=lambda _: None).prepare([4], embedder="me")
    assert sent.operations[:-1] == [
        "GetIndex",
        "CreateIndex",
        "CreateVectorBucket",
        "CreateIndex",
        "CreateIndex",
        "GetIndex",
        "GetIndex",
    ]


def test_prepare_tells_what_it_may_not_do(connect: Callable[..., Any]) -> None:
    """A denied look is not taken for a missing index."""
    sent = connect(lambda _: (403, {"__type": "AccessDeniedException"}))
    with pytest.raises(VectorsDenied):
        S3Vectors(sent.client, bucket="nestor-test").prepare([4], embedder="me")
    assert sent.operations == ["GetIndex"]
