"""The fast reader answers what plain botocore answers, and leaves to it whatever is not as it should be."""

import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ClientError

from nestor.adapters.s3vectors.reader import install

from .conftest import SESSION, _Body

IN = {"vectorBucketName": "bucket", "indexName": "index"}
CALLS: dict[str, Callable[[Any], Any]] = {
    "get_vectors": lambda client: client.get_vectors(**IN, keys=["a"], returnData=True, returnMetadata=True),
    "list_vectors": lambda client: client.list_vectors(**IN, returnData=True, returnMetadata=True),
}


def client(body: bytes, *, status: int = 200, fast: bool) -> Any:
    """Return a client that is always answered so."""
    made = SESSION.client("s3vectors")

    def answer(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        return AWSResponse(request.url, status, {"x-amzn-requestid": "id-1"}, _Body(body))

    made.meta.events.register("before-send.s3vectors", answer)
    if fast:
        install(made)
        install(made)
    return made


def plain(value: Any) -> Any:
    """Return the answer with rows as lists of float32, types of everything else by `repr`."""
    if isinstance(value, dict):
        return {
            name: [np.float32(number) for number in member] if name == "float32" else plain(member)
            for name, member in value.items()
        }
    return [plain(each) for each in value] if isinstance(value, list) else repr(value)


BODIES: dict[str, Any] = {
    "all": {
        "vectors": [
            {
                "key": "a",
                "data": {"float32": [0.1, -1e-40, 3, 3.4028234e38, 1.17549435e-38]},
                "metadata": {"text": "\u00e9\ud83d\ude00", "n": 5, "f": 5.0, "b": True, "l": [1, 2.5], "none": None},
            },
            {"key": "b"},
            {"key": "c", "data": {"float32": []}, "metadata": {}},
            {"key": "d", "data": None, "metadata": None},
        ],
        "nextToken": "token",
    },
    "none": {"vectors": []},
    "unknown members": {"vectors": [{"key": "a", "data": {"float32": [1.5]}, "more": 1}], "more": [1]},
    "no vectors": {"nextToken": "t"},
    "nothing": {},
}


@pytest.fixture(params=["simdjson", "orjson"], autouse=True)
def _by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read with simdjson, and as where it is not installed."""
    if request.param == "orjson":
        monkeypatch.setitem(sys.modules, "simdjson", None)


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_equal(operation: str, body: Any) -> None:
    """Keys, embeddings, metadata, tokens and headers are those of plain botocore."""
    if operation == "get_vectors":
        body = {name: member for name, member in body.items() if name != "nextToken"}
    written = json.dumps(body).encode()
    slow, quick = (CALLS[operation](client(written, fast=fast)) for fast in (False, True))
    assert plain(quick) == plain(slow)
    for vector in quick.get("vectors", []):
        assert "data" not in vector or vector["data"]["float32"].dtype == np.float32


@pytest.mark.parametrize(
    "body",
    [b"", b"no json", b'{"vectors": [{"key": "a", "data": {"float32": ["x"]}}]}', b'{"vectors": [{"data": {}}]}'],
    ids=range(4),
)
def test_senseless(body: bytes) -> None:
    """What no service answers meets the same end in both."""
    ends = []
    for fast in (False, True):
        try:
            ends.append(repr(plain(CALLS["get_vectors"](client(body, fast=fast)))))
        except Exception as error:  # noqa: BLE001  # whichever it is, it must be the same
            ends.append(f"{type(error).__name__}: {error}")
    assert ends[0] == ends[1]


def test_errors() -> None:
    """An error is the service's own, with code and words."""
    body = b'{"message": "no such index", "vectors": []}'
    for fast in (False, True):
        with pytest.raises(ClientError) as raised:
            CALLS["get_vectors"](client(body, status=404, fast=fast))
        assert raised.value.response["Error"]["Message"] == "no such index"


def test_another_client_is_left_alone() -> None:
    """Without `install` a vector is a list."""
    body = json.dumps(BODIES["all"]).encode()
    client(body, fast=True)
    assert type(CALLS["list_vectors"](client(body, fast=False))["vectors"][0]["data"]["float32"]) is list
