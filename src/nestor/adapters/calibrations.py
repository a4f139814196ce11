"""Calibrations as a JSON file in the home."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from nestor.errors import HomeUnusable
from nestor.ports import Calibration


class CalibrationFile:
    """One document by embedder and size; it appears whole or not at all. What cannot be read counts as not measured."""

    def __init__(self, path: Path) -> None:
        """Keep them in this file, made when the first one comes."""
        self._path = path

    def get(self, embedder: str, dimension: int) -> Calibration | None:
        """Return what was measured last, None when nothing was."""
        try:
            return Calibration(**self._all()[_name(embedder, dimension)])
        except (KeyError, TypeError):
            return None

    def put(self, calibration: Calibration) -> None:
        """Keep it, in place of an older one. Raises HomeUnusable."""
        known = self._all() | {_name(calibration.embedder, calibration.dimension): asdict(calibration)}
        partial = self._path.with_suffix(f".{os.getpid()}.part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(orjson.dumps(known, option=orjson.OPT_INDENT_2))
            partial.replace(self._path)
        except OSError as error:
            raise HomeUnusable(f"Cannot write {self._path}: {error.strerror}.") from error

    def _all(self) -> dict[str, Any]:
        try:
            known = orjson.loads(self._path.read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return {}  # derived data: it is measured again
        return known if isinstance(known, dict) else {}


def _name(embedder: str, dimension: int) -> str:
    return f"{embedder} {dimension}"
