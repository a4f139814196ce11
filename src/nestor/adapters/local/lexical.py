"""Words as two hashed blocks: a coarse one of 640 components and a fine one of 2048.

Every term has one component in each block, with a sign that is hashed too. Where two terms of a text fall on the same
one, the heavier stands alone: on SciFact that loses half as much as adding them up. Both sides weigh terms much as BM25
does: a document saturates how often a term occurs, a question asks for rare terms most.
"""

import hashlib
import math
import struct
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nestor.adapters.local.tables import Tables
from nestor.adapters.local.words import terms
from nestor.domain import Embedding

COARSE, FINE = 640, 2048

_K1, _B = 0.3, 0.75
_TYPICAL_TERMS = 100
"""Terms of a text of ordinary length; BM25 takes this from its corpus, which is not known here."""
_SALT = b"4"
"""Which of many equally good ways to place terms; between them nDCG@10 differs by up to 0.008 (see the docs)."""
_STORED_POWER, _ASKED_POWER = 0.5, 1.0
"""Powers of the idf on the two sides: rare words should also win where terms of a document collide."""
_BALLAST = 14.0
"""Weight of a document's last component in each block, where no question has anything.

It makes the other weights of short texts smaller (one word in common says less there than it seems) and leaves those of
long ones nearly alone, while every block keeps unit length, so that the four sizes hold the same mixture in every text.
"""


class Feature(NamedTuple):
    """Where a term goes in each block, and how rare it is."""

    coarse: int
    fine: int
    coarse_sign: int
    fine_sign: int
    idf: float


class Lexicon:
    """Turns text into the two blocks, each of unit length (or zero, for a question without terms)."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._features: dict[str, Feature] = {}

    def document(self, text: str) -> tuple[Embedding, Embedding]:
        """Return both blocks of a text that is to be found."""
        counts = Counter(terms(text))
        norm = _K1 * (1 - _B + _B * counts.total() / _TYPICAL_TERMS)
        weights = {term: count / (count + norm) for term, count in counts.items()}
        return self._blocks(weights, power=_STORED_POWER, ballast=_BALLAST)

    def question(self, text: str) -> tuple[Embedding, Embedding]:
        """Return both blocks of a text that asks."""
        counts = Counter(terms(text))
        weights = {term: 1 + math.log(count) for term, count in counts.items()}
        return self._blocks(weights, power=_ASKED_POWER, ballast=0.0)

    def _blocks(self, weights: Mapping[str, float], *, power: float, ballast: float) -> tuple[Embedding, Embedding]:
        weighed = [(self._feature(term), weight) for term, weight in weights.items()]
        weighed = sorted(((f, weight * f.idf**power) for f, weight in weighed), key=lambda pair: pair[1])
        coarse, fine = np.zeros(COARSE), np.zeros(FINE)
        coarse[-1] = fine[-1] = ballast
        for feature, weight in weighed:  # lightest first: the heavier overwrites
            coarse[feature.coarse] = feature.coarse_sign * weight
            fine[feature.fine] = feature.fine_sign * weight
        return _unit(coarse), _unit(fine)

    def _feature(self, term: str) -> Feature:
        found = self._features.get(term)
        if found is None:
            if len(self._features) >= 1 << 17:
                self._features.clear()
            found = self._features[term] = self._hashed(term)
        return found

    def _hashed(self, term: str) -> Feature:
        key = term_key(term)
        coarse, fine, signs = struct.unpack("<III", _hash(term, size=12, salt=_SALT))
        tables = self._tables
        place = int(np.searchsorted(tables.keys, np.uint32(key)))
        known = place < len(tables.keys) and tables.keys[place] == key
        idf = float(tables.idf[place]) if known else tables.unknown
        return Feature(coarse % (COARSE - 1), fine % (FINE - 1), 1 - 2 * (signs & 1), 1 - (signs & 2), idf)


def term_key(term: str) -> int:
    """Return the 32 bits under which the table knows a term."""
    return int.from_bytes(_hash(term, size=16)[:4], "little")


def _hash(term: str, *, size: int, salt: bytes = b"") -> bytes:
    return hashlib.blake2b(term.encode("utf-8", "surrogatepass"), digest_size=size, salt=salt).digest()


def _unit(block: NDArray[np.float64]) -> Embedding:
    length = float(np.linalg.norm(block))
    return (block / length if length else block).astype(np.float32)
