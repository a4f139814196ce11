"""The two tables that ship with the package: the rotation of the semantic part, and how rare each word is."""

import hashlib
import io
import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

FILE = "tables.npz"
IDF_STEP = 1 / 16
"""The table keeps how rare a word is as one byte, in these steps."""


@dataclass(frozen=True, slots=True)
class Tables:
    """What bench/fit_local.py fitted; sources and licences are in `source` and in docs/embedders.md."""

    rotation: NDArray[np.float32]
    """(384, 384), orthogonal: its columns are directions of falling variance."""
    keys: NDArray[np.uint32]
    """Ascending: the hash of each known term."""
    idf: NDArray[np.float32]
    """For each key, the logarithm of one over the share of texts that hold the term."""
    unknown: float
    """The idf of a term that is not in the table."""
    source: str
    digest: str
    """Eight hexadecimal digits that change whenever a figure in here does."""


@lru_cache(maxsize=1)
def shipped() -> Tables:
    """Return the tables of this version, read once."""
    return parsed((files("nestor.adapters.local") / "data" / FILE).read_bytes())


def parsed(content: bytes) -> Tables:
    """Return the tables held in the bytes of an .npz file."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        notes = json.loads(str(arrays["notes"]))
        return Tables(
            rotation=_orthogonal(arrays["rotation"].astype(np.float32)),
            keys=np.cumsum(arrays["key_gaps"], dtype=np.uint32),
            idf=arrays["idf"].astype(np.float32) * np.float32(IDF_STEP),
            unknown=float(notes["unknown"]),
            source=str(notes["source"]),
            digest=hashlib.blake2b(content, digest_size=4).hexdigest(),
        )


def _orthogonal(rough: NDArray[np.float32]) -> NDArray[np.float32]:
    """Undo what rounding to half precision did to the angles: one step of Newton and Schulz."""
    return rough @ (1.5 * np.eye(len(rough), dtype=np.float32) - 0.5 * (rough.T @ rough))
