"""What the bodies of requests look like, for the OpenAPI document."""

from collections.abc import Mapping
from typing import Any, Final

from nestor.chat.limits import PASSAGES, TURNS
from nestor.chat.limits import QUESTION_CHARACTERS as CHAT_CHARACTERS
from nestor.domain import DIMENSIONS
from nestor.strategies import NAMES
from nestor.strategies.base import COARSE
from nestor.web import limits
from nestor.web.shapes import ChatTurn

CHAT_TOP_K: Final = 8
"""Passages that a chat answers from, unless another number is asked for."""

_WHOLE: Final = {"type": "integer"}
_ASKING: Final[Mapping[str, Any]] = {
    "query": {
        "type": "string",
        "minLength": 1,
        "maxLength": limits.QUESTION_CHARACTERS,
        "pattern": r"\S",
        "description": "What to look for.",
    },
    "top_k": {**_WHOLE, "minimum": 1, "maximum": limits.TOP_K, "default": 10},
    "k": {**_WHOLE, "minimum": 1, "maximum": limits.TOP_K, "description": "The same as top_k; send one of them."},
    "coarse": {**_WHOLE, "enum": list(COARSE), "description": "Components that candidates are found by."},
    "candidates": {**_WHOLE, "minimum": 1, "maximum": limits.CANDIDATES, "default": 100},
    "filter": {"type": "object", "description": "A filter document in the grammar of S3 Vectors."},
    "collection": {"type": "string", "maxLength": limits.NAME_CHARACTERS},
}
_QUERY: Final = {
    **_ASKING,
    "dimension": {**_WHOLE, "enum": list(DIMENSIONS), "default": 3072},
    "strategy": {"type": "string", "enum": list(NAMES)},
    "include_embedding": {"type": "boolean", "default": False},
}
_COMPARE: Final = {
    **_ASKING,
    "dimensions": {"type": "array", "minItems": 1, "items": {"enum": list(DIMENSIONS)}},
    "strategies": {"type": "array", "minItems": 1, "items": {"enum": list(NAMES)}},
}
_FILE: Final = {"type": "string", "format": "binary"}


def _body(members: Mapping[str, Any], example: Mapping[str, Any]) -> dict[str, Any]:
    as_json = {
        "type": "object",
        "required": ["query"],
        "properties": members,
        "additionalProperties": False,
        "not": {"required": ["top_k", "k"]},
    }
    fields = {name: schema for name, schema in members.items() if name != "query"}
    form = {
        "type": "object",
        "required": ["file"],
        "description": "A file asks; the members are fields, `filter` and lists as JSON.",
        "properties": {"file": _FILE, **{name: {"type": "string"} for name in fields}},
    }
    content = {
        "application/json": {"schema": as_json, "example": example},
        "multipart/form-data": {"schema": form},
    }
    return {"requestBody": {"required": True, "content": content}}


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema with the definitions where they are referred to: a document knows them by other names."""
    known = schema.pop("$defs", {})

    def replaced(part: Any) -> Any:
        if isinstance(part, list):
            return [replaced(each) for each in part]
        if not isinstance(part, dict):
            return part
        reference = part.get("$ref")
        return known[reference.rpartition("/")[2]] if reference else {name: replaced(part[name]) for name in part}

    inlined: dict[str, Any] = replaced(schema)
    return inlined


QUERY_BODY: Final = _body(_QUERY, {"query": "apes embracing", "dimension": 1024, "top_k": 5})
COMPARE_BODY: Final = _body(_COMPARE, {"query": "apes embracing", "top_k": 5, "strategies": ["direct", "hierarchical"]})
UPLOAD_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "array", "items": _FILE, "minItems": 1},
                        "collection": {"type": "string"},
                        "tag": {"type": "array", "items": {"type": "string"}},
                    },
                }
            }
        },
    }
}


CHAT_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["question"],
                    "properties": {
                        "question": {
                            "type": "string",
                            "minLength": 1,
                            "maxLength": CHAT_CHARACTERS,
                            "pattern": r"\S",
                            "description": "What to answer.",
                        },
                        "conversation": {
                            "type": "array",
                            "maxItems": TURNS,
                            "items": _inlined(ChatTurn.model_json_schema()),
                            "description": "The turns before, oldest first: the `turn` of each answer.",
                        },
                        "top_k": {**_WHOLE, "minimum": 1, "maximum": PASSAGES, "default": CHAT_TOP_K},
                        "k": {**_QUERY["k"], "maximum": PASSAGES},
                        **{name: _QUERY[name] for name in ("dimension", "strategy", "filter", "collection")},
                        "stream": {"type": "boolean", "description": "False for one JSON document."},
                    },
                    "additionalProperties": False,
                    "not": {"required": ["top_k", "k"]},
                },
                "example": {"question": "Which apes embrace?", "dimension": 1024, "top_k": 5, "stream": False},
            }
        },
    }
}
