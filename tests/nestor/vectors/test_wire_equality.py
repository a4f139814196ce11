"""The fast wire sends what plain botocore sends: every operation of the service model, walked shape by shape."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import botocore.session
import numpy as np
import pytest
from botocore import xform_name
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest
from botocore.credentials import Credentials
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nestor.adapters.s3vectors.wire import install

MODEL = botocore.session.get_session().get_service_model("s3vectors")
CHANGING = {"Authorization", "X-Amz-Date", "amz-sdk-invocation-id", "User-Agent", "Content-Length"}
"""Headers that differ between two calls of one client, and the length, which follows from the body."""

FLOATS = st.floats(-1e30, 1e30, width=64) | st.floats(width=32, allow_nan=False, allow_infinity=False)
SCALARS = st.text() | st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)
DOCUMENTS = st.dictionaries(
    st.text(),
    st.recursive(SCALARS | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8),
    max_size=4,
)


def values(shape: Any) -> st.SearchStrategy[Any]:
    """Return what botocore accepts for the shape."""
    least = shape.metadata.get("min", 0)
    match shape.type_name:
        case "structure" if shape.is_document_type:
            return DOCUMENTS
        case "structure" if shape.is_tagged_union:
            return st.one_of([st.fixed_dictionaries({name: values(member)}) for name, member in shape.members.items()])
        case "structure":
            members = {name: values(member) for name, member in shape.members.items()}
            needed = {name: members.pop(name) for name in shape.required_members}
            return st.fixed_dictionaries(needed, optional=members)
        case "list":
            return st.lists(values(shape.member), min_size=least, max_size=least + 3)
        case "map":
            return st.dictionaries(values(shape.key), values(shape.value), max_size=3)
        case kind:
            scalars: dict[str, st.SearchStrategy[Any]] = {
                "string": st.text(min_size=least, max_size=least + 8),
                "integer": st.integers(least, 10_000),
                "boolean": st.booleans(),
                "float": FLOATS,
            }
            return scalars[kind]


def as_stored(value: Any, shape: Any) -> Any:
    """Return the value with every number of a vector as the float32 that the service keeps; documents untouched."""
    match shape.type_name:
        case "structure" if not shape.is_document_type:
            return {name: as_stored(member, shape.members[name]) for name, member in value.items()}
        case "list":
            return [as_stored(element, shape.member) for element in value]
        case "float":
            return np.float32(value)
        case _:
            return value


def told(request: AWSPreparedRequest, operation: Any) -> Any:
    """Return what the request says, as comparable values; the text of documents by type as well as by value."""
    url = urlsplit(request.url)
    headers = {name: value for name, value in request.headers.items() if name not in CHANGING}
    body = request.body and repr(as_stored(json.loads(request.body), operation.input_shape))
    return request.method, url.netloc, url.path, sorted(parse_qsl(url.query, keep_blank_values=True)), headers, body


@pytest.fixture(scope="module")
def both(connect: Callable[..., Any]) -> tuple[Any, Any]:
    """Return a plain client and one with the fast wire."""
    plain, fast = connect(), connect()
    install(fast.client)
    return plain, fast


@pytest.mark.parametrize("name", MODEL.operation_names)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_operation_sends_what_botocore_sends(both: tuple[Any, Any], name: str, data: st.DataObject) -> None:
    """Method, host, path, query, headers and the parsed document are equal, numbers of vectors as float32."""
    operation = MODEL.operation_model(name)
    params = data.draw(values(operation.input_shape))
    before = repr(params)
    for side in both:
        side.requests.clear()
        getattr(side.client, xform_name(name))(**params)
    plain, fast = (side.requests[-1] for side in both)
    assert told(fast, operation) == told(plain, operation)
    assert repr(params) == before, "the caller's parameters are left alone"


def query(side: Any, vector: Any, **more: Any) -> Any:
    """Send a query and return its body."""
    side.client.query_vectors(**{"indexArn": "arn", "topK": 1, "queryVector": {"float32": vector}, **more})
    return side.bodies[-1]


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(numbers=st.lists(st.integers(0, 2**32 - 1), max_size=20))
@example(numbers=[0x00000001, 0x007FFFFF, 0x7F7FFFFF, 0x80000000])
def test_every_float32_survives_bit_for_bit(both: tuple[Any, Any], numbers: list[int]) -> None:
    """Subnormals, the largest number and the negative zero included."""
    row = np.array(numbers, dtype=np.uint32).view(np.float32)
    row = row[np.isfinite(row)]
    sent = np.array(query(both[1], row)["queryVector"]["float32"], dtype=np.float32)
    assert sent.tobytes() == row.tobytes()


ROW = np.linspace(-1, 1, 12, dtype=np.float32)
FORMS = {
    "float32": ROW,
    "float64": ROW.astype(np.float64),
    "float16": ROW.astype(np.float16),
    "integers": np.arange(12),
    "big-endian": ROW.astype(">f4"),
    "every other": np.repeat(ROW, 2)[::2],
    "reversed": ROW[::-1],
    "column": np.tile(ROW, (3, 1)).T[:, 1],
    "read-only": np.frombuffer(ROW.tobytes(), dtype=np.float32),
    "list": ROW.tolist(),
    "tuple": tuple(ROW.tolist()),
    "list of ints": [1, 2, 3],
    "list of float64": list(ROW.astype(np.float64)),
    "decimals": [Decimal("0.5"), Decimal("-0.1")],
    "empty": [],
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_rows_of_every_form_are_sent_as_float32(both: tuple[Any, Any], form: Any) -> None:
    """Contiguous or not, of any real type, in a query and in a put."""
    wanted = np.array(form, dtype=np.float32).tolist()
    assert np.float32(query(both[1], form)["queryVector"]["float32"]).tolist() == wanted
    both[1].client.put_vectors(indexArn="arn", vectors=[{"key": "a", "data": {"float32": form}}])
    assert np.float32(both[1].bodies[-1]["vectors"][0]["data"]["float32"]).tolist() == wanted


def test_the_signature_is_over_the_final_body(both: tuple[Any, Any]) -> None:
    """Recomputing it from what went out gives the signature that went out."""
    query(both[1], ROW)
    sent = both[1].requests[-1]
    signed = sent.headers["Authorization"].decode().split("SignedHeaders=")[1].split(",")[0].split(";")
    request = AWSRequest(sent.method, sent.url, data=sent.body)
    for name in set(signed) - {"host"}:
        request.headers[name] = sent.headers[name].decode()
    request.context["timestamp"] = sent.headers["X-Amz-Date"].decode()
    auth = SigV4Auth(Credentials("AKIDEXAMPLE", "an example"), "s3vectors", "us-east-1")
    signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    assert sent.headers["Authorization"].decode().endswith(f"Signature={signature}")
    assert int(sent.headers["Content-Length"]) == len(sent.body)
