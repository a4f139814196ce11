"""The benchmark's own arithmetic, and a small guard against losing quality."""

import gzip
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from nestor.adapters.local import LocalEmbedder
from nestor.adapters.local.minilm import MiniLM
from nestor.domain import DIMENSIONS, Modality, Segment, Span
from nestor.nesting import nest

CORPUS = '{"_id": "a", "title": "Bread", "text": "is baked"}\n{"_id": "b", "title": "", "text": "Rain falls"}\n'
QUERIES = '{"_id": "1", "text": "baking"}\n{"_id": "2", "text": "weather"}\n{"_id": "3", "text": "never judged"}\n'


@pytest.fixture(scope="module")
def bench(root: Path) -> Iterator[ModuleType]:
    """Return bench/retrieval.py as a module."""
    spec = importlib.util.spec_from_file_location("bench_retrieval", root / "bench" / "retrieval.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
@pytest.mark.parametrize(
    "qrels",
    ["query-id\tcorpus-id\tscore\n1\ta\t2\n2\tb\t1\n2\ta\t0\n", "1\ta\t2\n2\tb\t1\n", "1 0 a 2\n2 0 b 1\n"],
    ids=["beir", "no heading", "trec"],
)
def test_a_folder_in_beir_layout_is_read(packed: bool, qrels: str, bench: ModuleType, tmp_path: Path) -> None:
    """Compressed or not, with a heading or without; what nobody judged is left out."""
    for name, content in (("corpus.jsonl", CORPUS), ("queries.jsonl", QUERIES)):
        if packed:
            (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content.encode()))
        else:
            (tmp_path / name).write_text(content)
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "dev.tsv").write_text(qrels)
    task = bench.read_task(tmp_path, split="dev")
    assert task.documents == ["Bread\nis baked", "Rain falls"]
    assert task.questions == ["baking", "weather"]
    assert task.relevant == [{0: 2}, {1: 1}]


def test_ndcg_and_recall_by_hand(bench: ModuleType) -> None:
    """First place and third place of two answers, then no answer among ten."""
    scores = np.zeros((2, 30), dtype=np.float32)
    scores[0, :3] = 3, 2, 1
    scores[1, 10:20] = 1
    relevant = [{0: 1, 2: 1}, {25: 1}]
    assert bench.ndcg(scores, relevant) == pytest.approx((1 + 1 / 2) / (1 + 1 / np.log2(3)) / 2)
    assert bench.recall(scores, relevant) == pytest.approx(0.5)


def test_bm25_ranks_the_rare_word_first(bench: ModuleType) -> None:
    """And gives nothing to a document without any word of the question."""
    task = bench.Task(["river bank", "river river delta", "mountain"], ["the delta of a river"], [{1: 1}])
    scores = bench.bm25(task)[0]
    assert scores[1] > scores[0] > scores[2] == 0


def test_quality_does_not_slip(bench: ModuleType, embedder: LocalEmbedder, model: MiniLM, shared_data: Path) -> None:
    """On 80 questions and 100 abstracts of SciFact's training split: every size is good, words help."""
    task = bench.read_task(shared_data / "scifact", split="train")
    questions, relevant = task.questions[:80], task.relevant[:80]
    kept = sorted({place for gains in relevant for place in gains} | set(range(0, 5000, 70)))[:100]
    place = {old: new for new, old in enumerate(kept)}
    gains = [{place[old]: gain for old, gain in one.items() if old in place} for one in relevant]
    judged = [number for number, one in enumerate(gains) if one]
    documents = [task.documents[old][:500] for old in kept]
    rows = nest(embedder.embed_segments([Segment(0, Modality.TEXT, Span(), text) for text in documents]))
    asked = nest(np.stack([embedder.embed_text_query(questions[number]) for number in judged]))
    wanted = [gains[number] for number in judged]
    quality = {size: bench.ndcg(asked[size] @ rows[size].T, wanted) for size in DIMENSIONS}
    alone = model.embed([questions[number] for number in judged]) @ model.embed(documents).T
    assert quality[384] == pytest.approx(bench.ndcg(alone, wanted), abs=0.01)
    assert min(quality.values()) > 0.8
    assert quality[3072] > quality[384]
