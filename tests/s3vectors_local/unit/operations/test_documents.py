"""The reader of bodies against orjson, which knows no arrays."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from s3vectors_local.operations import documents

LENGTH = 300  # components of a vector that is long enough for an array
ONES = ",".join(["1"] * LENGTH)

NUMBERS = ["0", "-0", "-0.0", "1", "0.1", "-2.5e-3", "1E5", "1e39", "3.4028236e38", "1.5e-45", "1e-46", "1e-400"]
INTEGERS = ["16777217", "9007199254740993", "18446744073709551615", "18446744073709551616", "-9223372036854775809"]
OTHERS = ['"NaN"', "null", "true", '"]"', "[1]", "{}", '{"a":"]"}', "1e400", "01", "1.", "NaN", '"\\ud800"', ""]
KEYS = ["float32", "data", "queryVector", "vectors", "metadata", "fl\\u006fat32", '\\"float32', "float32\\\\", ""]
STRINGS = ['"x"', '"\\"float32\\":[1,2]"', '"\\u0000\\ud83d\\ude00é"', '"\\ud800"', '"]"', '"\\"float32"']

_number = st.one_of(st.sampled_from(NUMBERS), st.floats(allow_nan=False, allow_infinity=False).map(repr))
_space = st.sampled_from(["", "", "", " ", "\n", "\t \r"])


@st.composite
def _list(draw: Any) -> str:
    """Draw a list of numbers, most often long; seldom with something else among them."""
    space = draw(_space)
    tokens = draw(st.lists(_number, min_size=1, max_size=5)) * draw(st.sampled_from([1, LENGTH]))
    odd = draw(st.one_of(st.none(), st.none(), st.sampled_from(INTEGERS), st.sampled_from(OTHERS)))
    if odd is not None:
        tokens.insert(draw(st.integers(0, len(tokens))), odd)
    return f"[{space}{f',{space}'.join(tokens)}{space}]"


def _object(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.lists(st.tuples(st.sampled_from(KEYS), _space, values), max_size=4)
    return pairs.map(
        lambda found: "{" + ",".join(f'"{key}"{space}:{space}{value}' for key, space, value in found) + "}"
    )


def _array(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(values, max_size=3).map(lambda found: f"[{','.join(found)}]")


_leaf = st.one_of(_list(), _list(), st.sampled_from(STRINGS), _number, st.sampled_from(OTHERS))
_document = st.recursive(_leaf, lambda inner: st.one_of(_object(inner), _object(inner), _array(inner)), max_leaves=8)


def _vector(**more: Any) -> dict[str, Any]:
    return {"data": {"float32": [0.1] * LENGTH}, **more}


def _equal(ours: Any, theirs: Any) -> bool:
    """Tell whether two documents are the same to the type and the order of keys; an array is as its list."""
    if isinstance(ours, np.ndarray):
        with np.errstate(over="ignore"):
            expected = np.array(theirs, np.float32)
        return ours.dtype == np.float32 and ours.tobytes() == expected.tobytes() and type(theirs) is list
    if type(ours) is not type(theirs):
        return False
    if isinstance(ours, dict):
        return list(ours) == list(theirs) and all(_equal(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(_equal, ours, theirs))
    return repr(ours) == repr(theirs)


def _outcome(reader: Callable[[bytes], Any], body: bytes) -> tuple[Any, str | None]:
    try:
        return reader(body), None
    except orjson.JSONDecodeError as error:
        return None, str(error)


def _compare(body: bytes) -> None:
    (ours, our_error), (theirs, their_error) = _outcome(documents.read, body), _outcome(orjson.loads, body)
    assert our_error == their_error
    assert _equal(ours, theirs)


@given(_document)
@example(f'{{"queryVector":{{"float32":[{ONES}]}},"queryVector":{{"float32":[{ONES}]}}}}')
@example(f'{{"queryVector":{{"float32":[{ONES}],"float32":"x"}}}}')
@example(f'{{"vectors":[{{"data":{{"float32":[{ONES}]}},"metadata":{{"float32":[{ONES}]}}}}]}}')
@example(f'{{"queryVector":{{"\\"float32":[{ONES}]}}}}')
@example(f'{{"queryVector":{{"float32":[{ONES}]}}}}"float32"')
@example(f'{{"queryVector":{{"float32":[{ONES},]}}}}')
@example(f'{{"queryVector":{{"float32":[{ONES},18446744073709551616]}}}}')
@example(f'{{"queryVector":{{"float32":[{ONES},-9223372036854775809]}}}}')
@example(f'{{"queryVector":{{"float32":[{ONES},null]}}}}')
@example(f'{{"queryVector":{{"float32":[{ONES},"NaN"]}}}}')
@example(f'\ufeff{{"queryVector":{{"float32":[{ONES}]}}}}')
@settings(max_examples=300)
def test_same_as_orjson(text: str) -> None:
    """Every text gives what orjson gives, or the very error."""
    _compare(text.encode("utf-8", "surrogatepass"))


@given(st.binary(max_size=40), st.integers(0, 3000))
def test_damaged(noise: bytes, place: int) -> None:
    """Bytes in the middle of a body, UTF-8 or not, are judged as by orjson."""
    body = orjson.dumps({"queryVector": {"float32": [0.25] * LENGTH}, "metadata": {"a": "ü"}, "vectors": [_vector()]})
    _compare(body[:place] + noise + body[place:])


def test_arrays() -> None:
    """Vectors come as arrays of their own memory: long ones, wherever they stand and however they are spaced."""
    short, long = [1.0, 2.0], [0.1, -2, 1e39] * 100
    body = b" " + orjson.dumps({"queryVector": {"float32": long}, "vectors": [_vector(key="k")] * 2}) + b"\n"
    spaced = body.replace(b'"float32":', b'"float32" :\n ')
    for text in (body, spaced):
        found = documents.read(text)
        arrays = [found["queryVector"]["float32"], *(item["data"]["float32"] for item in found["vectors"])]
        assert all(isinstance(array, np.ndarray) and array.base is None for array in arrays)
        assert arrays[0][2] == np.inf
    assert documents.read(orjson.dumps({"queryVector": {"float32": short}})) == {"queryVector": {"float32": short}}


def test_lists_elsewhere_stay_lists() -> None:
    """A list of numbers in metadata is a list, whatever its key."""
    item = _vector(metadata={"float32": [0.1] * LENGTH})
    found = documents.read(orjson.dumps({"vectors": [item], "float32": [1] * LENGTH, "queryVector": [1, 2]}))
    assert found["vectors"][0]["metadata"]["float32"] == [0.1] * LENGTH
    assert found["float32"] == [1] * LENGTH


def test_time_grows_with_the_body_only() -> None:
    """Beginnings of vectors that never end are read once, not once each."""
    body = b'[1,"float32":[' * 400_000
    for text in (body, body + b"]"):
        with pytest.raises(orjson.JSONDecodeError):
            documents.read(text)


def test_threads() -> None:
    """Threads do not see each other's vectors."""
    bodies = [
        orjson.dumps({"vectors": [_vector(key=str(number)), {"data": {"float32": [number] * 3000}}]})
        for number in range(4)
    ]
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(200):
            found = documents.read(bodies[number])["vectors"]
            if found[0]["key"] != str(number) or (found[1]["data"]["float32"] != number).any():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
