"""Conditions as people type them."""

import pytest

from nestor.errors import InvalidInput
from nestor.where import parse_where


@pytest.mark.parametrize(
    ("conditions", "document"),
    [
        pytest.param([], None, id="none"),
        pytest.param(["modality=image"], {"modality": {"$eq": "image"}}, id="equal"),
        pytest.param(["page>=3"], {"page": {"$gte": 3}}, id="number"),
        pytest.param([" start_seconds < 2.5 "], {"start_seconds": {"$lt": 2.5}}, id="spaces"),
        pytest.param(["modality=image|video"], {"modality": {"$in": ["image", "video"]}}, id="any of"),
        pytest.param(["tags!=a|b"], {"tags": {"$nin": ["a", "b"]}}, id="none of"),
        pytest.param(["file_name^=LJ"], {"file_name": {"$startsWith": "LJ"}}, id="starts with"),
        pytest.param(["collection=a=b"], {"collection": {"$eq": "a=b"}}, id="a sign in the value"),
        pytest.param(
            ["page>1", "page<=9"], {"$and": [{"page": {"$gt": 1}}, {"page": {"$lte": 9}}]}, id="several all hold"
        ),
    ],
)
def test_reads(conditions: list[str], document: object) -> None:
    """Each condition becomes one field with one operator; several are joined by $and."""
    assert parse_where(conditions) == document


@pytest.mark.parametrize(
    ("condition", "complaint"),
    [
        ("modality", "FIELD SIGN VALUE"),
        ("modality=", "FIELD SIGN VALUE"),
        ("colour=red", "no field 'colour'"),
        ("page=three", "holds a number"),
        ("page=nan", "holds a number"),
        ("page>1|2", "Several values"),
        ("modality>image", "has no order"),
        ("page^=1", "is for text"),
        ("modality=picture", "no modality 'picture': text, document, image, audio, video"),
        ("modality!=image|film", "no modality 'film'"),
    ],
)
def test_refuses(condition: str, complaint: str) -> None:
    """What cannot be meant is refused with the way to write it."""
    with pytest.raises(InvalidInput, match=complaint):
        parse_where([condition])
