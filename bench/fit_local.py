"""Fit the tables of the local embedder from text that is in no evaluation set.

    apt-get download wordnet-base python3.11-doc postgresql-doc-15   # or any copy of the three
    python bench/fit_local.py --wordnet DIR --html DIR --html DIR

`--wordnet` holds WordNet's data.noun, data.verb, data.adj and data.adv; each `--html` is a folder of HTML pages. Writes
src/nestor/adapters/local/data/tables.npz: the rotation (principal axes of MiniLM embeddings, not centred) and, for each
term, the idf it would have among texts of TEXT_TERMS terms, as a mean over the sources that know it.
"""

import argparse
import hashlib
import html
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nestor.adapters.local.lexical import term_key
from nestor.adapters.local.minilm import MiniLM
from nestor.adapters.local.tables import IDF_STEP
from nestor.adapters.local.words import terms

TEXT_TERMS = 100
UNKNOWN = 10.0
SAMPLE = 8000
"""Texts of each source that the axes are fitted on."""
TABLE = Path(__file__).parents[1] / "src/nestor/adapters/local/data/tables.npz"
SOURCE = (
    "Own counts and axes over: WordNet 3.0 glosses (WordNet licence, Princeton University); Python 3.11 documentation "
    "(PSF licence version 2); PostgreSQL 15 documentation (PostgreSQL licence). No text of theirs is in this file."
)

_PARAGRAPH = re.compile(r"<p[ >].*?</p>", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")


def main() -> None:
    """Read the sources, fit, write the table, print what is in it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wordnet", type=Path, required=True)
    parser.add_argument("--html", type=Path, action="append", default=[])
    parser.add_argument("--out", type=Path, default=TABLE)
    asked = parser.parse_args()
    sources = [unique(glosses(asked.wordnet)), *(unique(paragraphs(folder)) for folder in asked.html)]
    for texts in sources:
        print(f"{len(texts):8} texts")
    write(asked.out, idf=idf_of(sources), axes=axes_of([text for texts in sources for text in sample(texts)]))
    print(f"{asked.out.stat().st_size:8} bytes in {asked.out.name}")


def glosses(folder: Path) -> Iterator[str]:
    """Yield the words of each synset with its definition and examples."""
    for part in ("noun", "verb", "adj", "adv"):
        for line in (folder / f"data.{part}").read_text(encoding="utf-8").splitlines():
            if not line.startswith("  "):  # the licence
                synset, gloss = line.split("|", 1)
                fields = synset.split()
                words = fields[4 : 4 + 2 * int(fields[3], 16) : 2]
                yield f"{', '.join(words).replace('_', ' ')}: {gloss.strip()}"


def paragraphs(folder: Path) -> Iterator[str]:
    """Yield the paragraphs of every page below the folder."""
    for page in sorted(folder.rglob("*.html")):
        if page.is_file():
            for match in _PARAGRAPH.findall(page.read_text(encoding="utf-8", errors="replace")):
                text = " ".join(html.unescape(_TAG.sub(" ", match)).split())
                if len(text) >= 40:
                    yield text


def unique(texts: Iterable[str]) -> list[str]:
    """Return the texts without repetitions, in order."""
    return list(dict.fromkeys(texts))


def sample(texts: Sequence[str]) -> list[str]:
    """Return SAMPLE of the texts, the same ones on every run."""
    return sorted(texts, key=lambda text: hashlib.blake2b(text.encode()).digest())[:SAMPLE]


def idf_of(sources: Sequence[Sequence[str]]) -> dict[str, float]:
    """Return the idf of every term: the mean over the sources that know it, if two texts hold it."""
    found: dict[str, list[float]] = {}
    seen: Counter[str] = Counter()
    for texts in sources:
        counts = Counter(term for text in texts for term in terms(text))
        seen += counts
        rates = np.array(list(counts.values())) / counts.total()
        for term, share in zip(counts, 1 - np.exp(-TEXT_TERMS * rates), strict=True):
            found.setdefault(term, []).append(-float(np.log(share)))
    return {term: min(UNKNOWN, float(np.mean(values))) for term, values in found.items() if seen[term] > 1}


def axes_of(texts: Sequence[str]) -> NDArray[np.float64]:
    """Return the directions of falling variance as columns, each with its largest component positive."""
    rows = MiniLM().embed(texts).astype(np.float64)
    _, axes = np.linalg.eigh(rows.T @ rows)
    axes = axes[:, ::-1]
    peaks = axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]
    return np.asarray(axes * np.sign(peaks))


def write(path: Path, *, idf: dict[str, float], axes: NDArray[np.float64]) -> None:
    """Write the table; equal figures give equal bytes."""
    by_key = {term_key(term): round(value / IDF_STEP) for term, value in idf.items() if value < UNKNOWN}
    keys = np.array(sorted(by_key), dtype=np.uint32)
    path.parent.mkdir(exist_ok=True)
    np.savez_compressed(
        path,
        rotation=axes.astype(np.float16),
        key_gaps=np.diff(keys, prepend=np.uint32(0)),
        idf=np.array([by_key[int(key)] for key in keys], dtype=np.uint8),
        notes=np.array(json.dumps({"unknown": UNKNOWN, "source": SOURCE})),
    )
    print(f"{len(keys):8} terms")


if __name__ == "__main__":
    main()
