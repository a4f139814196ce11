"""botocore's service model, walked: every bound and type of every input member is held to.

A complete request is spoilt in one place, and sent. The one place, and nothing else, must be in the answer.
"""

import copy
import json
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import pytest
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape
from hypothesis import given, settings
from hypothesis import strategies as st

from s3vectors_local.engine import Engine, open_engine
from s3vectors_local.model import Metric, NewIndex, NewTextKey
from s3vectors_local.operations import OPERATIONS, Call, answer

Requests = dict[str, dict[str, Any]]
Path = tuple[str | int, ...]

# JSON of other types than a member's. A whole number with a fraction of zero is none here.
WRONG: dict[str, list[Any]] = {
    "string": [1, 1.5, True, [], {}],
    "integer": ["1", "", 1.5, 10.0, 1e30, True, [], {}],
    "boolean": ["true", "", 1, 0, 0.5, [], {}],
    "list": ["x", 1, True, {}],
    "structure": ["x", 1, True, []],
    "map": ["x", 1, True, []],
    "float": ["1", "", "nan", None, True, [], {}],
}
TAGS = {"ListTagsForResource": "GET", "TagResource": "POST", "UntagResource": "DELETE"}
TOP_K = 10_000  # the one member without a maximum in the model
OF_ITEMS = {"keys": "k", "tagKeys": "k", "nonFilterableMetadataKeys": "k"}


class Spoilt(NamedTuple):
    """One request that is wrong in one place."""

    place: Path
    how: str
    members: dict[str, Any]
    phrases: list[str]
    """What the violations of the place are; none for a member of the wrong type."""


def _with(members: dict[str, Any], place: Path, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(members)
    inner: Any = changed
    for part in place[:-1]:
        inner = inner.setdefault(part, {}) if isinstance(inner, dict) else inner[part]
    inner[place[-1]] = value
    return changed


def _without(members: dict[str, Any], place: Path) -> dict[str, Any]:
    changed = copy.deepcopy(members)
    inner: Any = changed
    for part in place[:-1]:
        inner = inner[part]
    del inner[place[-1]]
    return changed


def _spoilt(shape: Shape, members: dict[str, Any], place: Path) -> Iterator[Spoilt]:
    """Yield what is wrong with the member at a place, and inside it."""
    if shape.metadata.get("document"):
        return
    if place:
        for value in WRONG[shape.type_name]:
            yield Spoilt(place, f"{value!r}", _with(members, place, value), [])
        yield from _out_of_bounds(shape, members, place)
    if isinstance(shape, StructureShape):
        yield from _of_structure(shape, members, place)
    if isinstance(shape, ListShape):
        inner = _with(members, place, [OF_ITEMS[str(place[-1])]]) if place[-1] in OF_ITEMS else members
        yield from _spoilt(shape.member, inner, (*place, 0))
    if isinstance(shape, MapShape):
        yield from _of_map(shape, members, place)


def _of_structure(shape: StructureShape, members: dict[str, Any], place: Path) -> Iterator[Spoilt]:
    for name, member in shape.members.items():
        here = (*place, name)
        if name in shape.required_members:
            yield Spoilt(here, "missing", _without(members, here), ["Member must not be null"])
            yield Spoilt(here, "null", _with(members, here, None), ["Member must not be null"])
        yield from _spoilt(member, members, here)


def _of_map(shape: MapShape, members: dict[str, Any], place: Path) -> Iterator[Spoilt]:
    # A key is told at the path of its map.
    for spoilt in _out_of_bounds(shape.key, members, ("k",)):
        yield spoilt._replace(place=place, members=_with(members, place, {spoilt.members["k"]: "v"}))
    yield from _spoilt(shape.value, members, (*place, "a"))


def _out_of_bounds(shape: Shape, members: dict[str, Any], place: Path) -> Iterator[Spoilt]:
    values = _beyond(shape)
    if shape.type_name == "string":
        values += ["#" * 9] if "pattern" in shape.metadata else []
        values += ["other"] if shape.enum else []
    for value in values:
        text = str(value)
        yield Spoilt(place, f"{text[:9]} of {len(text)}", _with(members, place, value), _phrases(shape, value))


def _beyond(shape: Shape) -> list[Any]:
    """Return one value below and one above the bounds that there are."""
    low, high = shape.metadata.get("min", 0), shape.metadata.get("max")
    sizes = ([low - 1] if low else []) + ([] if high is None else [high + 1])
    if shape.type_name == "integer" or not sizes:
        return sizes
    unit: Any = "x" if shape.type_name == "string" else [{} if isinstance(shape.member, StructureShape) else "kkk"]
    return [unit * size for size in sizes]


def _phrases(shape: Shape, value: Any) -> list[str]:
    """Return the rules that a value breaks, as they are told."""
    found = []
    low, high = shape.metadata.get("min", 0), shape.metadata.get("max", TOP_K)
    size, verb = (value, "be") if shape.type_name == "integer" else (len(value), "have length")
    if size < low and "max" not in shape.metadata and shape.type_name == "integer":
        found.append(f"Member must be greater than or equal to {low}")
    elif not low <= size <= high:
        found.append(f"Member must {verb} between {low} and {high}, inclusive")
    if shape.type_name == "string":
        if "pattern" in shape.metadata and not (shape.name in {"TagKey", "TagValue"} and "#" not in value):
            found.append(f"Member must satisfy regular expression pattern: ^{shape.metadata['pattern']}$")
        if shape.enum and value not in shape.enum:
            found.append(f"Member must satisfy enum value set: [{', '.join(shape.enum)}]")
    return found


def _send(engine: Engine, operation: OperationModel, members: dict[str, Any]) -> tuple[int, str | None, Any]:
    name, rest = operation.name, dict(members)
    method, path, query = TAGS.get(name, "POST"), f"/{name}", ""
    if name in TAGS:
        path = "/tags/" + quote(str(rest.pop("resourceArn", "")), safe="")
        keys = rest.pop("tagKeys", None)
        query = urlencode([("tagKeys", key) for key in (keys if isinstance(keys, list) else [])])
    reply = answer(engine, Call(method, path, query, json.dumps(rest).encode()))
    return reply.status, reply.headers.get("x-amzn-errortype"), json.loads(reply.body)


@pytest.fixture
def ready(engine: Engine) -> Engine:
    """Give the engine with a text-searchable key, so that every complete request could run."""
    engine.add_text_keys("demo", "flat", [NewTextKey("text")])
    return engine


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_walk(model: ServiceModel, ready: Engine, complete: Requests, name: str) -> None:
    """A member that is missing, of another type or out of bounds is told alone; and nothing has happened."""
    operation = model.operation_model(name)
    shape = operation.input_shape
    assert isinstance(shape, StructureShape)
    count = 0
    for spoilt in _spoilt(shape, complete[name], ()):
        if _cannot_be_sent(shape, spoilt):
            continue
        count += 1
        status, kind, body = _send(ready, operation, spoilt.members)
        told = (spoilt.place, spoilt.how, body)
        path = "/" + "/".join(map(str, spoilt.place))
        if not spoilt.phrases:
            assert (status, kind) == (400, "SerializationException"), told
            assert f"'{path}" in body["message"], told
            continue
        assert (status, kind) == (400, "ValidationException"), told
        fields = [(field["path"], field["message"].partition(": ")[2]) for field in body["fieldList"]]
        assert fields == [(path, phrase) for phrase in spoilt.phrases], told
        noun = "error" if len(fields) == 1 else "errors"
        phrases = "; ".join(field["message"] for field in body["fieldList"])
        assert body["message"] == f"{len(fields)} validation {noun} detected. {phrases}"
    assert count or not shape.members
    assert [bucket.name for bucket in ready.list_buckets().items] == ["demo"]
    assert [index.name for index in ready.list_indexes("demo").items] == ["flat"]
    assert ready.list_vectors("demo", "flat").items == []


JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.sampled_from(["$and", "k"])
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["$and", "$in", "float32", "key", "data", "text", ""]), inner, max_size=3),
    ),
    max_leaves=6,
)


def _places(value: Any, place: Path = ()) -> Iterator[Path]:
    yield place
    for part, inner in (
        value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())
    ):
        yield from _places(inner, (*place, part))


@given(
    name=st.sampled_from(sorted(OPERATIONS)),
    spoils=st.lists(st.tuples(st.integers(0, 20), JSON), min_size=1, max_size=3),
    also=st.dictionaries(
        st.sampled_from(["filter", "nextToken", "prefix", "maxResults", "indexArn"]), JSON, max_size=2
    ),
)
@settings(max_examples=200, deadline=None)
def test_any_request_is_answered(
    model: ServiceModel, complete: Requests, name: str, spoils: list[tuple[int, Any]], also: dict[str, Any]
) -> None:
    """Whatever JSON stands anywhere in a request, it is an answer or an error of the client's."""
    members = complete[name] | also
    for number, value in spoils:
        places = [place for place in _places(members) if place]
        if places:
            members = _with(members, places[number % len(places)], value)
    with open_engine(None) as engine:
        engine.create_bucket("demo")
        engine.create_index("demo", NewIndex("flat", 2, Metric.EUCLIDEAN, texts=(NewTextKey("text"),)))
        status, kind, body = _send(engine, model.operation_model(name), members)
    assert status < 500, (members, body)
    assert (status == 200) is (kind is None)


def _cannot_be_sent(shape: StructureShape, spoilt: Spoilt) -> bool:
    """Tell whether a member of the path or the query string, which know no types, would have to be of some type."""
    location = shape.members[str(spoilt.place[0])].serialization.get("location")
    if location == "uri":
        return not spoilt.phrases or spoilt.how in {"missing", "null"}
    return location == "querystring" and not spoilt.phrases
