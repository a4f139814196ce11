"""Derived files are deleted, damaged, old or of other data: answers stay right."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from s3vectors_local.engine import Engine, open_engine
from s3vectors_local.model import Float32, Metric, NewIndex, NewVector, Query
from s3vectors_local.search.derived import FOLDER

ROWS, DIMENSION, K = 3000, 48, 10
Damage = Callable[[Path], None]


def _rows(seed: int, count: int) -> Float32:
    generator = np.random.default_rng(seed)
    centres = generator.standard_normal((40, DIMENSION))
    made = centres[generator.integers(0, 40, count)] + 0.5 * generator.standard_normal((count, DIMENSION))
    return made.astype(np.float32)


def _put(engine: Engine, index: str, rows: Float32, *, start: int = 0) -> None:
    for first in range(0, len(rows), 500):
        part = rows[first : first + 500]
        engine.put_vectors("demo", index, [NewVector(f"k{start + first + n}", row) for n, row in enumerate(part)])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with two indexes of other rows, both with a derived file."""
    folder = tmp_path_factory.mktemp("derived") / "data"
    with open_engine(folder) as engine:
        engine.create_bucket("demo")
        for seed, name in enumerate(("first", "second")):
            engine.create_index("demo", NewIndex(name, DIMENSION, Metric.EUCLIDEAN))
            _put(engine, name, _rows(seed, ROWS))
            engine.build("demo", name)
    assert len(list((folder / FOLDER).iterdir())) == 2
    return folder


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    """Give a copy to damage."""
    return Path(shutil.copytree(built, tmp_path / "data"))


def _recall(engine: Engine, rows: Float32, keys: list[str], queries: Float32) -> float:
    """Return the share of the true nearest that is found; every distance must be true."""
    found = 0
    for query in queries:
        distances = ((rows.astype(float) - query.astype(float)) ** 2).sum(axis=1)
        truth = dict(zip(keys, distances.tolist(), strict=True))
        hits = engine.query_vectors("demo", "first", Query(query, K))[0].items
        assert len({hit.key for hit in hits}) == K
        assert [hit.distance for hit in hits] == pytest.approx([truth[hit.key] for hit in hits], rel=1e-4)
        nearest = np.sort(distances)[K - 1] * (1 + 1e-5)
        found += sum(truth[hit.key] <= nearest for hit in hits)
    return found / (K * len(queries))


def _answers(folder: Path) -> tuple[bool, float]:
    """Return whether the first index is searched by its derived file, and the recall."""
    with open_engine(folder, read_only=True) as engine:
        rows = _rows(0, ROWS)
        recall = _recall(engine, rows, [f"k{n}" for n in range(ROWS)], rows[:20] + np.float32(0.1))
        return _is_used(engine), recall


def _is_used(engine: Engine) -> bool:
    return engine._search.coarse(engine.get_index("demo", "first")) is not None


def _file(folder: Path) -> Path:
    return min((folder / FOLDER).iterdir())


def test_a_sound_file_is_used(folder: Path) -> None:
    """It is used after a restart, and what is found is as good as promised."""
    used, recall = _answers(folder)
    assert used
    assert recall >= 0.98


def _delete(path: Path) -> None:
    path.unlink()


def _delete_all(path: Path) -> None:
    shutil.rmtree(path.parent)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def _zeroed(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def _no_json(path: Path) -> None:
    path.write_bytes(b"[1, 2]\n" + path.read_bytes())


def _of_another(path: Path) -> None:
    shutil.copy(max(path.parent.iterdir()), path)


def _zeroed_end(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2].ljust(len(content), b"\0"))


@pytest.mark.parametrize(
    "damage", [_delete, _delete_all, _empty, _cut, _longer, _zeroed, _zeroed_end, _no_json, _of_another]
)
def test_without_a_usable_file_every_row_is_compared(folder: Path, damage: Damage) -> None:
    """Answers are then exact; nothing else changes, and `verify` has nothing to say."""
    damage(_file(folder))
    assert _answers(folder) == (False, 1.0)
    with open_engine(folder) as engine:
        assert engine.verify() == []
        engine.build("demo", "first")
        assert _is_used(engine)


def test_a_flipped_bit_anywhere(folder: Path) -> None:
    """One changed bit, in the head or in the arrays, makes the file unusable."""
    chance = random.Random(2)  # noqa: S311 - no secret
    path = _file(folder)
    sound = path.read_bytes()
    head = 8 * (sound.index(b"\n") + 1)
    for bit in [*chance.sample(range(head), 60), *chance.sample(range(head, 8 * len(sound)), 20)]:
        content = bytearray(sound)
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        used, recall = _answers(folder)
        assert not used, f"bit {bit % 8} of byte {bit // 8}: {bytes(content[max(0, bit // 8 - 20) : bit // 8 + 20])!r}"
        assert recall == 1


def test_a_file_that_disappears_while_it_is_used(folder: Path) -> None:
    """The running engine goes on with what it has."""
    with open_engine(folder) as engine:
        rows, keys = _rows(0, ROWS), [f"k{n}" for n in range(ROWS)]
        before = _recall(engine, rows, keys, rows[:5])
        shutil.rmtree(folder / FOLDER)
        assert _recall(engine, rows, keys, rows[:5]) == before
        engine.build("demo", "first")
        assert (folder / FOLDER).is_dir()


def test_an_unfinished_file(folder: Path) -> None:
    """What a killed build has left is removed by the next writer, and the file before it is used."""
    unfinished = _file(folder).with_suffix(".4711")
    unfinished.write_bytes(_file(folder).read_bytes()[:5000])
    assert _answers(folder)[0]
    with open_engine(folder):
        assert not unfinished.exists()


def test_a_stale_file(folder: Path) -> None:
    """What was written, overwritten and deleted since the file was made is found, or not, as it is now."""
    rows, keys = _rows(0, ROWS), [f"k{n}" for n in range(ROWS)]
    with open_engine(folder) as engine:
        new = _rows(5, 900)
        _put(engine, "first", new[:600])
        _put(engine, "first", new[600:], start=ROWS)
        engine.delete_vectors("demo", "first", keys[2500:])
    rows, keys = (
        np.concatenate([new[:600], rows[600:2500], new[600:]]),
        [*keys[:2500], *(f"k{ROWS + n}" for n in range(300))],
    )
    for read_only in (True, False):
        with open_engine(folder, read_only=read_only) as engine:
            assert _recall(engine, rows, keys, np.concatenate([rows[:10], rows[-10:]]) + np.float32(0.1)) >= 0.95


def test_a_file_of_an_older_slab(folder: Path) -> None:
    """A file from before a compaction is not used after it."""
    path = _file(folder)
    old = path.read_bytes()
    rows, keys = _rows(0, ROWS), [f"k{n}" for n in range(ROWS)]
    with open_engine(folder) as engine:
        engine.delete_vectors("demo", "first", keys[:500])
        engine.compact("demo", "first")
    path.write_bytes(old)
    with open_engine(folder, read_only=True) as engine:
        assert not _is_used(engine)
        assert _recall(engine, rows[500:], keys[500:], rows[600:620]) == 1
    with open_engine(folder):
        assert not path.exists()
