"""How well the local embedder finds text, at each of its four sizes, beside MiniLM alone and BM25.

    python bench/retrieval.py [--data DIR] [--split test|train] [--json]

DIR is a folder in BEIR's layout: corpus.jsonl, queries.jsonl (either may end in .gz) and qrels/SPLIT.tsv. Documents and
questions go through LocalEmbedder and nest(), one vector a document, exact cosine. With --json the last line printed
is one JSON object.
"""

import argparse
import gzip
import json
import math
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nestor.adapters.local import LocalEmbedder
from nestor.adapters.local.minilm import MiniLM
from nestor.adapters.local.words import terms
from nestor.domain import DIMENSIONS, Modality, Segment, Span
from nestor.nesting import nest

TOP = 10
DATA = Path(__file__).parents[2] / "shared/data/scifact"

Scores = NDArray[np.float32]
"""One row a question, one column a document."""


@dataclass(frozen=True, slots=True)
class Task:
    """Documents, questions, and which of the documents answer which question, by index."""

    documents: Sequence[str]
    questions: Sequence[str]
    relevant: Sequence[Mapping[int, int]]
    """For each question the gain of its documents."""


def main() -> None:
    """Run every system on one task and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--split", default="test")
    parser.add_argument("--json", action="store_true", help="print one line of JSON last")
    asked = parser.parse_args()
    task = read_task(asked.data, split=asked.split)
    report = measured(task)
    report |= {"data": asked.data.name, "split": asked.split}
    print_table(report)
    if asked.json:
        print(json.dumps(report))


def read_task(folder: Path, *, split: str) -> Task:
    """Return the questions of one split that have an answer, over the whole corpus."""
    documents = {row["_id"]: f"{row.get('title', '')}\n{row['text']}".strip() for row in rows(folder, "corpus.jsonl")}
    questions = {row["_id"]: row["text"] for row in rows(folder, "queries.jsonl")}
    place = {name: index for index, name in enumerate(documents)}
    gains: dict[str, dict[int, int]] = defaultdict(dict)
    for question, document, gain in judgements(folder / "qrels" / f"{split}.tsv"):
        if gain > 0 and document in place and question in questions:
            gains[question][place[document]] = gain
    return Task(list(documents.values()), [questions[name] for name in gains], list(gains.values()))


def rows(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """Yield the objects of a .jsonl file, compressed or not."""
    plain = folder / name
    content = plain.read_bytes() if plain.exists() else gzip.decompress((folder / f"{name}.gz").read_bytes())
    yield from (json.loads(line) for line in content.splitlines() if line.strip())


def judgements(path: Path) -> Iterator[tuple[str, str, int]]:
    """Yield question, document and gain from a file of three columns, or TREC's four; a heading is passed over."""
    for line in path.read_text(encoding="utf-8").splitlines():
        fields = line.split()
        if len(fields) >= 3 and fields[-1].lstrip("-").isdigit():
            yield fields[0], fields[-2], int(fields[-1])


def measured(task: Task) -> dict[str, Any]:
    """Return the figures of every system on the task."""
    model = Remembering()
    embedder = LocalEmbedder(model=model)
    embedder.embed_text_query("load the model outside the clock")
    documents, seconds = timed_documents(embedder, task.documents)
    started = time.perf_counter()
    questions = np.stack([embedder.embed_text_query(text) for text in task.questions])
    query_ms = (time.perf_counter() - started) / len(task.questions) * 1000
    nested, asked = nest(documents), nest(questions)
    scores = {str(size): asked[size] @ nested[size].T for size in DIMENSIONS}
    scores["minilm"] = model.recalled(task.questions) @ model.recalled(task.documents).T
    scores["bm25"] = bm25(task)
    return {
        f"ndcg@{TOP}": {name: round(ndcg(score, task.relevant), 4) for name, score in scores.items()},
        f"recall@{TOP}": {name: round(recall(score, task.relevant), 4) for name, score in scores.items()},
        "documents": len(task.documents),
        "queries": len(task.questions),
        "embed_seconds": round(seconds, 1),
        "texts_per_second": round(len(task.documents) / seconds, 1),
        "query_ms": round(query_ms, 2),
        "embedder": embedder.id,
    }


class Remembering(MiniLM):
    """The network as it is, keeping what it gave, so that MiniLM alone need not be computed again."""

    def __init__(self) -> None:
        super().__init__()
        self._given: dict[str, NDArray[np.float32]] = {}

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one unit row a text."""
        given = super().embed(texts)
        self._given.update(zip(texts, given, strict=True))
        return given

    def recalled(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the rows of texts embedded before, as the network gave them: not rotated."""
        return np.stack([self._given[text] for text in texts])


def timed_documents(embedder: LocalEmbedder, texts: Sequence[str]) -> tuple[NDArray[np.float32], float]:
    """Return one row a text, and the seconds that took."""
    segments = [Segment(index, Modality.TEXT, Span(), text) for index, text in enumerate(texts)]
    started = time.perf_counter()
    return embedder.embed_segments(segments), time.perf_counter() - started


def bm25(task: Task, *, k1: float = 0.9, b: float = 0.4) -> Scores:
    """Return Lucene's BM25 with the parameters of BEIR's baseline, over the same stemmed terms."""
    bags = [Counter(terms(text)) for text in task.documents]
    lengths = np.array([bag.total() for bag in bags])
    norms = k1 * (1 - b + b * lengths / lengths.mean())
    postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for place, bag in enumerate(bags):
        for term, count in bag.items():
            postings[term].append((place, count))
    scores = np.zeros((len(task.questions), len(bags)), dtype=np.float32)
    for row, text in zip(scores, task.questions, strict=True):
        for term in set(terms(text)):  # once each: on SciFact better than Lucene's counting of repetitions
            if found := postings.get(term):
                places, counts = np.array(found).T
                rarity = math.log(1 + (len(bags) - len(found) + 0.5) / (len(found) + 0.5))
                row[places] += rarity * counts / (counts + norms[places])
    return scores


def ndcg(scores: Scores, relevant: Sequence[Mapping[int, int]]) -> float:
    """Return the mean normalised discounted cumulative gain of the first TOP."""
    discounts = 1 / np.log2(np.arange(2, TOP + 2))
    values = []
    for found, gains in zip(best(scores), relevant, strict=True):
        ideal = sorted(gains.values(), reverse=True)[:TOP]
        got = np.array([gains.get(int(place), 0) for place in found])
        values.append(got @ discounts[: len(got)] / (ideal @ discounts[: len(ideal)]))
    return float(np.mean(values))


def recall(scores: Scores, relevant: Sequence[Mapping[int, int]]) -> float:
    """Return the mean share of the answers that are among the first TOP."""
    pairs = zip(best(scores), relevant, strict=True)
    return float(np.mean([len(gains.keys() & set(found.tolist())) / len(gains) for found, gains in pairs]))


def best(scores: Scores) -> NDArray[np.intp]:
    """Return the columns of the TOP highest scores of each row, highest first."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :TOP]


def print_table(report: Mapping[str, Any]) -> None:
    """Print the figures for a reader."""
    print(f"{report['data']} {report['split']}: {report['queries']} questions, {report['documents']} documents")
    print(f"{'':8} {'nDCG@10':>8} {'recall@10':>10}")
    for name, value in report[f"ndcg@{TOP}"].items():
        print(f"{name:8} {value:8.4f} {report[f'recall@{TOP}'][name]:10.4f}")
    print(
        f"{report['embed_seconds']} s to embed, {report['texts_per_second']} texts/s, "
        f"{report['query_ms']} ms a question, {report['embedder']}"
    )


if __name__ == "__main__":
    main()
