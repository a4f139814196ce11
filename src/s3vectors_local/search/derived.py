"""Coarse indexes in files: derived from the rows, checked when they are read, and safe to delete at any time.

One of other data, of another release or damaged is as good as none: it is built again.
"""

import logging
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final
from weakref import WeakValueDictionary

import numpy as np
import numpy.typing as npt

from s3vectors_local.model import Index, Metric
from s3vectors_local.search.coarse import Coarse, Depth, Summary, Tuning
from s3vectors_local.search.codes import Codes, Encoder
from s3vectors_local.search.derived_file import Arrays, Checked, head, read, read_codes, writable, write

_log = logging.getLogger(__name__)
_FORMAT: Final = "s3vectors-local coarse 3"
_SUFFIX: Final = ".coarse"
_BUILT: Final = ".built"
_WHOLE: Final = ".whole"
FOLDER: Final = "derived"


class DerivedFiles:
    """The coarse indexes of a folder. `data` identifies the database that they belong to."""

    def __init__(self, folder: Path, data: str) -> None:
        """Use a folder, be it there or not."""
        self._folder = folder
        self._data = data
        # Codes of all components that are in use: reading them again would take a good part of a second.
        self._mapped: WeakValueDictionary[str, npt.NDArray[np.int8]] = WeakValueDictionary()
        self._checked: dict[int, Checked] = {}

    def save(self, index: Index, coarse: Coarse) -> None:
        """Write a coarse index in place of the one before. Raises OSError.

        For the writer alone: a process that builds hands over what it has made.
        """
        names = {self._whole_name(index.id), None if coarse.whole is None else _name(coarse.whole)}
        try:
            self._save(index, coarse, self._path(index.id))
        finally:  # that of the one before; or, where this could not be saved, its own
            for unused in names - {None, self._whole_name(index.id)}:
                (self._folder / str(unused)).unlink(missing_ok=True)

    def hand_over(self, index: Index, coarse: Coarse) -> None:
        """Write a coarse index that the writer takes over: it may save others meanwhile. Raises OSError."""
        self._save(index, coarse, self._path(index.id).with_suffix(_BUILT))

    def take_over(self, index_id: int) -> None:
        """Put what was handed over in place of the one before. Raises OSError."""
        self._path(index_id).with_suffix(_BUILT).replace(self._path(index_id))
        self._remove_others(index_id)

    def _save(self, index: Index, coarse: Coarse, path: Path) -> None:
        self._folder.mkdir(exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}")
        try:
            write(unfinished, self._attributes(index, coarse) | self._synced(index, coarse.whole), _arrays(coarse))
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)

    def room(self, index: Index, shape: tuple[int, int]) -> npt.NDArray[np.int8]:
        """Return an array of zeros in a new file, for the codes of all components of the coarse index to be saved.

        Raises OSError where the disk has no room for it.
        """
        self._folder.mkdir(exist_ok=True)
        path = self._folder / f"{index.id}-{secrets.token_hex(8)}{_WHOLE}"
        path.touch(exist_ok=False)
        try:
            return writable(path, shape)
        except OSError:
            path.unlink(missing_ok=True)  # it may have taken what room there was
            raise

    @staticmethod
    def longer(values: npt.NDArray[np.int8], rows: int) -> npt.NDArray[np.int8]:
        """Return codes of all components with room for more, in their own file: what is there is never written again.

        Until a coarse index with them is saved, the file counts as long as it was. Raises OSError where the disk has no
        room for them, FileNotFoundError where somebody deleted the file: what is mapped of it cannot grow.
        """
        mapped: Any = values
        return writable(Path(mapped.filename), (rows, values.shape[1]))

    def load(self, index: Index) -> Coarse | None:
        """Return the coarse index of an index, None where there is none that can be used."""
        path = self._path(index.id)
        try:
            attributes, arrays = read(path)
            values = self._whole(index.id, attributes)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.warning("%s cannot be used and will be built again: %s", path, error)
            return None
        if not self._fits(attributes, index):
            return None
        coarse = _coarse(index, attributes, arrays)
        if values is None:
            return coarse
        return replace(coarse, whole=Codes(values, arrays["whole.scales"], arrays["whole.penalties"]))

    def summary(self, index: Index) -> Summary | None:
        """Return what is told of a coarse index without reading it, None where there is none that can be used."""
        attributes = head(self._path(index.id))
        if not self._fits(attributes, index):
            return None
        return Summary(attributes["end"], attributes["lists"], _tuning(attributes), attributes["reached"])

    def keep_only(self, indexes: Mapping[int, Index]) -> None:
        """Remove what does not belong to these indexes as they are now; of a database that was restored, say."""
        kept = set()
        for index in indexes.values():
            attributes = head(self._path(index.id))
            if self._fits(attributes, index):
                kept |= {self._path(index.id).name, attributes.get("whole", {}).get("file")}
        for path in self._folder.glob("*"):
            if path.name not in kept and path.is_file():
                path.unlink(missing_ok=True)

    def remove(self, index_id: int) -> None:
        """Remove the coarse index of an index."""
        self._path(index_id).unlink(missing_ok=True)
        self._path(index_id).with_suffix(_BUILT).unlink(missing_ok=True)
        self._checked.pop(index_id, None)
        self._remove_others(index_id)

    def remove_unfinished(self, index_id: int) -> None:
        """Remove what a build that failed has left of an index: it may be as large as all its codes."""
        self._path(index_id).with_suffix(_BUILT).unlink(missing_ok=True)
        for path in self._folder.glob(f"{index_id}.[0-9]*"):
            path.unlink(missing_ok=True)
        self._remove_others(index_id)

    def _whole_name(self, index_id: int) -> str | None:
        name: str | None = head(self._path(index_id)).get("whole", {}).get("file")
        return name

    def _remove_others(self, index_id: int) -> None:
        mine = self._whole_name(index_id)
        for path in self._folder.glob(f"{index_id}-*{_WHOLE}"):
            if path.name != mine:
                path.unlink(missing_ok=True)

    def signature(self, index_id: int) -> tuple[int, int] | None:
        """Return what changes whenever the coarse index of an index is saved, None where there is none."""
        try:
            state = self._path(index_id).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return state.st_ino, state.st_mtime_ns

    def _synced(self, index: Index, whole: Codes | None) -> dict[str, Any]:
        """Return what the head tells of the file that holds codes of all components."""
        if whole is None:
            return {}
        values, name = whole.values, _name(whole)
        before: dict[str, Any] = head(self._path(index.id)).get("whole", {})
        known = Checked(name, before["shape"][0], before["crc"]) if before.get("file") == name else Checked(name)
        if known.rows < len(values):
            values.flush()  # type: ignore[attr-defined] # a memmap
        return {"whole": {"file": name, "shape": values.shape, "crc": known.through(values)}}

    def _whole(self, index_id: int, attributes: Mapping[str, Any]) -> npt.NDArray[np.int8] | None:
        """Return codes of all components, mapped into memory. Raises ValueError for a damaged file."""
        whole = attributes.get("whole")
        if whole is None:
            return None
        known = self._mapped.get(whole["file"])
        if known is not None and known.shape == tuple(whole["shape"]):  # what is there is never written again
            return known
        checked = self._checked.get(index_id)
        if checked is None or checked.file != whole["file"] or known is None:
            checked = Checked(whole["file"])
        values = read_codes(self._folder / whole["file"], whole, checked)
        self._mapped[whole["file"]] = values
        self._checked[index_id] = Checked(whole["file"], len(values), whole["crc"])
        return values

    def _path(self, index_id: int) -> Path:
        return self._folder / f"{index_id}{_SUFFIX}"

    def _attributes(self, index: Index, coarse: Coarse) -> dict[str, Any]:
        return {
            "format": _FORMAT,
            "data": self._data,
            "index": index.id,
            "generation": coarse.generation,
            "slab": coarse.slab,
            "end": coarse.end,
            "built": coarse.built,
            "rows": coarse.rows,
            "reached": coarse.reached,
            "lists": len(coarse.centres),
            "tuning": asdict(coarse.tuning),
        }

    def _fits(self, attributes: Mapping[str, Any], index: Index) -> bool:
        expected = {"format": _FORMAT, "data": self._data, "index": index.id, "slab": index.slab}
        mine = {name: attributes.get(name) for name in expected}
        return mine == expected and attributes["generation"] <= index.generation and attributes["end"] <= index.slots


def _name(whole: Codes) -> str:
    """Return the name of the file that codes of all components are mapped from."""
    values: Any = whole.values
    return Path(values.filename).name


def _arrays(coarse: Coarse) -> dict[str, npt.NDArray[Any]]:
    arrays: dict[str, npt.NDArray[Any]] = {"starts": coarse.starts, "slots": coarse.slots, "places": coarse.places}
    for name, codes in (("centres", coarse.centres), ("codes", coarse.codes)):
        arrays |= {f"{name}.{part}": getattr(codes, part) for part in ("values", "scales", "penalties")}
    if coarse.whole is not None:
        arrays |= {"whole.scales": coarse.whole.scales, "whole.penalties": coarse.whole.penalties}
    if coarse.encoder.projection is not None:
        arrays["projection"] = coarse.encoder.projection
    return arrays


def _coarse(index: Index, attributes: Mapping[str, Any], arrays: Arrays) -> Coarse:
    def codes(name: str) -> Codes:
        return Codes(*(arrays[f"{name}.{part}"] for part in ("values", "scales", "penalties")))

    return Coarse(
        attributes["generation"],
        attributes["slab"],
        attributes["end"],
        Encoder(Metric(index.metric), index.dimension, arrays.get("projection")),
        codes("centres"),
        arrays["starts"],
        arrays["slots"],
        arrays["places"],
        codes("codes"),
        _tuning(attributes),
        built=attributes["built"],
        rows=attributes["rows"],
        reached=attributes["reached"],
    )


def _tuning(attributes: Mapping[str, Any]) -> Tuning:
    told = dict(attributes["tuning"])
    first, deep = told.pop("kept")
    return Tuning(**{name: Depth(**depth) for name, depth in told.items()}, kept=(first, deep))
