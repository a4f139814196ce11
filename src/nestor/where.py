"""Conditions as people type them (`modality=image`, `page>=3`) to filter documents of S3 Vectors."""

import math
import re
from collections.abc import Sequence

from nestor.domain import Filter, Modality, Scalar
from nestor.errors import InvalidInput

TEXT_FIELDS = ("modality", "file_name", "content_type", "collection", "tags", "object_id")
NUMBER_FIELDS = (
    "page",
    "segment_index",
    "start_seconds",
    "end_seconds",
    "start_char",
    "end_char",
    "uploaded_at",
)

_CONDITION = re.compile(r"\s*(?P<field>[a-z_]+)\s*(?P<sign>!=|>=|<=|\^=|=|>|<)\s*(?P<value>.*?)\s*", re.DOTALL)
_OPERATORS = {"=": "$eq", "!=": "$ne", ">": "$gt", ">=": "$gte", "<": "$lt", "<=": "$lte", "^=": "$startsWith"}


def parse_where(conditions: Sequence[str]) -> Filter | None:
    """Return the filter that holds where every condition holds, None when there is no condition.

    A condition is FIELD SIGN VALUE with one of the signs = != > >= < <= and ^= (starts with); `a|b` after = or !=
    means any, or none, of several values. Raises InvalidInput and says which fields and signs there are.
    """
    documents = [_parse(condition) for condition in conditions]
    if len(documents) < 2:
        return documents[0] if documents else None
    return {"$and": documents}


def _parse(condition: str) -> Filter:
    match = _CONDITION.fullmatch(condition)
    if match is None or not match["value"]:
        raise InvalidInput(
            f"Cannot read the condition {condition!r}: write FIELD SIGN VALUE, such as modality=image or page>=3 "
            f"(signs: {' '.join(_OPERATORS)})."
        )
    field, sign = match["field"], match["sign"]
    if field not in TEXT_FIELDS + NUMBER_FIELDS:
        raise InvalidInput(f"There is no field {field!r} to filter by: {', '.join(TEXT_FIELDS + NUMBER_FIELDS)}.")
    _check_sign(field, sign)
    values = [_value(field, text.strip()) for text in match["value"].split("|")]
    if field == "modality" and sign != "^=":
        _check_modalities(values)
    if len(values) == 1:
        return {field: {_OPERATORS[sign]: values[0]}}
    if sign not in {"=", "!="}:
        raise InvalidInput(f"Several values with | need = or !=, not {sign}, in {condition!r}.")
    return {field: {"$in" if sign == "=" else "$nin": values}}


def _check_sign(field: str, sign: str) -> None:
    if field in TEXT_FIELDS and sign in {">", ">=", "<", "<="}:
        raise InvalidInput(f"{field!r} holds text and has no order: use = != or ^= instead of {sign}.")
    if field in NUMBER_FIELDS and sign == "^=":
        raise InvalidInput(f"{field!r} holds a number: ^= (starts with) is for text.")


def _check_modalities(values: Sequence[Scalar]) -> None:
    known = tuple(Modality)
    if unknown := [value for value in values if value not in known]:
        raise InvalidInput(f"There is no modality {unknown[0]!r}: {', '.join(known)}.")


def _value(field: str, text: str) -> Scalar:
    if field in TEXT_FIELDS:
        return text
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InvalidInput(f"{field!r} holds a number; {text!r} is none.")
    return int(number) if number.is_integer() else number
