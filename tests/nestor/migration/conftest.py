"""Placeholders as the old code wrote them, made without any of the code under test."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nestor.adapters.s3vectors.rows import S3Rows
from nestor.domain import DIMENSIONS
from nestor.migration.migrate import Moved
from nestor.settings import Settings
from nestor.wiring import Nestor

NOVA = "nova/amazon.nova-2-multimodal-embeddings-v1:0"


@dataclass
class Old:
    """A placeholder in a folder."""

    root: Path
    draw: np.random.Generator = field(default_factory=lambda: np.random.default_rng(5))

    def path(self, asset: str, segment: object, size: int, layout: str = "folders") -> Path:
        """Return where an object lies."""
        between = "/" if layout == "folders" else "_"
        return self.root / f"embeddings-{size}d" / f"{asset}{between}segment_{segment}.json"

    def put(
        self,
        uri: str,
        *,
        asset: str | None = None,
        segment: object = 0,
        row: Any = None,
        sizes: Sequence[int] = DIMENSIONS,
        layout: str = "folders",
        **metadata: Any,
    ) -> Any:
        """Write one segment, float64 digits and all, as `json.dumps` does; return its embedding, shape (3072,)."""
        name = uri.rsplit("/", 1)[-1]
        asset = asset or name.replace(".", "_") + "_20251101120000"
        row = self.draw.normal(size=3072) if row is None else np.asarray(row)
        row = row / np.linalg.norm(row)
        told = {
            "sourceS3Uri": uri,
            "fileName": name,
            "fileType": Path(name).suffix,
            "fileSize": 1234,
            "uploadTimestamp": "2025-11-01T12:00:00+00:00",
            "contentType": "video/mp4",
            "objectId": asset,
            "segmentIndex": segment,
            "modalityType": "AUDIO_VIDEO_COMBINED",
            "processingTimestamp": "2025-11-01T12:05:00.123456",
            **metadata,
        }
        for size in sizes:
            prefix = row[:size] / np.linalg.norm(row[:size])
            path = self.path(asset, segment, size, layout)
            path.parent.mkdir(parents=True, exist_ok=True)
            member = "embedding" if layout == "folders" else "vector"
            path.write_text(json.dumps({member: prefix.tolist(), "metadata": {**told, "embeddingDimension": size}}))
        return row

    def film(self, uri: str, segments: int, **options: Any) -> list[Any]:
        """Write a film of five-second segments; return their embeddings."""
        return [
            self.put(
                uri, segment=number, segmentStartSeconds=5.0 * number, segmentEndSeconds=5.0 * number + 5, **options
            )
            for number in range(segments)
        ]


@pytest.fixture
def old(tmp_path: Path) -> Old:
    """Return an empty placeholder."""
    return Old(tmp_path / "old")


@pytest.fixture
def home(settings: Settings) -> Iterator[Nestor]:
    """Return everything wired over an empty home."""
    with Nestor(settings) as wired:
        yield wired


Migrate = Callable[..., dict[str, Moved]]


@pytest.fixture
def migrate(old: Old, home: Nestor) -> Migrate:
    """Return a function that migrates the placeholder and tells what became of each asset."""

    def run(*, recheck: bool = False, dry_run: bool = False, wired: Nestor | None = None) -> dict[str, Moved]:
        moving = (wired or home).migration(str(old.root), dry_run=dry_run)
        moving.look()
        moved = list(moving.run(recheck=recheck))
        moving.report()
        moving.journal.close()
        assert len({each.uri for each in moved}) == len(moved)
        return {each.uri: each for each in moved}

    return run


Everything = dict[tuple[int, str], tuple[bytes, dict[str, Any]]]


@pytest.fixture
def everything() -> Callable[[Nestor], Everything]:
    """Return a function that reads every row of every index: bits and metadata, by size and key."""

    def read(wired: Nestor) -> Everything:
        rows = S3Rows(wired.client, bucket=wired.settings.vector_bucket)
        found: Everything = {}
        for size in DIMENSIONS:
            for key, row in rows.get(size, list(wired.vectors.keys(size))).items():
                found[size, key] = (row.embedding.tobytes(), dict(row.metadata))
        return found

    return read


@pytest.fixture
def expected_bits() -> Callable[[Any, int], bytes]:
    """Return a function that gives the float32 bits of what the placeholder holds of an embedding at a size."""
    return lambda row, size: (row[:size] / np.linalg.norm(row[:size])).astype(np.float32).tobytes()
