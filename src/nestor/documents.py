"""Manifests as JSON documents; one that an older or a newer Nestor wrote is understood as far as the names agree."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from nestor.domain import Manifest, Modality, Status

_FIELDS = {field.name for field in dataclasses.fields(Manifest)}


def manifest_of(document: Mapping[str, Any]) -> Manifest:
    """Return the manifest that orjson wrote as this document."""
    values = {name: value for name, value in document.items() if name in _FIELDS}
    values["status"] = Status(values["status"])
    values["modality"] = None if values["modality"] is None else Modality(values["modality"])
    for name in ("dimensions", "tags", "warnings"):
        values[name] = tuple(values[name])
    return Manifest(**values)
