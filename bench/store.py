"""Storing one asset as `store_embeddings` does: seconds, memory and requests for the most segments that a job gives.

The objects lie in files, the vectors go over HTTP to `s3vectors-local serve` in a process of its own.
Run: python -m bench.store [--segments 1434] [--json]
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import boto3
import numpy as np

from nestor.adapters.embedding_files import NovaFiles
from nestor.adapters.nova import EMBEDDER_ID
from nestor.adapters.s3vectors import S3Vectors, client_config
from nestor.domain import DIMENSIONS, Manifest, Modality, Segment, Span, Status
from nestor.errors import ObjectMissing
from nestor.pipeline.store import AssetStore
from nestor.pipeline.work import Plan, Work, batches
from nestor.ports import ObjectInfo

BUCKET = "bench"
URI = "s3://source/film.mp4"
SECONDS = 5


@dataclass(frozen=True, slots=True)
class Line:
    """One measurement."""

    segments: int
    seconds: float
    memory_before_mib: float
    """Resident memory of the process before it stores: Python, NumPy, botocore, the client."""
    memory_peak_mib: float
    requests: dict[str, int]


class Folder:
    """Objects as files in a folder."""

    def __init__(self, root: Path) -> None:
        """Keep them below this folder."""
        self._root = root

    def info(self, uri: str) -> ObjectInfo:
        """Return what is known of the object."""
        return ObjectInfo(size=len(self.get(uri)), etag="etag")

    def get(self, uri: str) -> bytes:
        """Return the whole object."""
        try:
            return self._path(uri).read_bytes()
        except FileNotFoundError as error:
            raise ObjectMissing(uri, code="NoSuchKey") from error

    def lines(self, uri: str) -> Iterator[bytes]:
        """Yield the lines one by one."""
        with self._path(uri).open("rb") as file:
            yield from (line.rstrip(b"\n") for line in file)

    def put(self, uri: str, content: bytes, *, content_type: str = "") -> None:  # noqa: ARG002  # files have none
        """Store the object."""
        self._path(uri).parent.mkdir(parents=True, exist_ok=True)
        self._path(uri).write_bytes(content)

    def download(self, uri: str, path: Path, *, etag: str) -> None:  # noqa: ARG002  # nothing changes here
        """Write the object into a file."""
        path.write_bytes(self.get(uri))

    def delete(self, uri: str) -> None:
        """Remove the object."""
        self._path(uri).unlink(missing_ok=True)

    def keys(self, uri: str) -> Iterator[str]:
        """Yield the keys below the prefix."""
        bucket = uri.removeprefix("s3://").partition("/")[0]
        found = (path for path in self._path(uri).rglob("*") if path.is_file())
        return (str(path.relative_to(self._root / bucket)) for path in sorted(found))

    def _path(self, uri: str) -> Path:
        return self._root / uri.removeprefix("s3://")


class _Manifests:
    def __init__(self) -> None:
        self._kept: dict[str, Manifest] = {}

    def get(self, object_id: str) -> Manifest | None:
        return self._kept.get(object_id)

    def put(self, manifests: Sequence[Manifest]) -> None:
        self._kept |= {manifest.object_id: manifest for manifest in manifests}

    def delete(self, object_ids: Sequence[str]) -> None:
        for object_id in object_ids:
            self._kept.pop(object_id, None)

    def all(self) -> Iterator[Manifest]:
        return iter(self._kept.values())


def measure(segments: int, *, folder: Path, client: Any) -> Line:
    """Store an asset of so many segments and return what it took."""
    requests: Counter[str] = Counter()
    client.meta.events.register("before-send.s3vectors", lambda request, **_: _count(requests, request))
    objects, vectors = Folder(folder / "objects"), S3Vectors(client, bucket=BUCKET)
    vectors.prepare(DIMENSIONS, embedder=EMBEDDER_ID)
    requests.clear()
    work = Work(objects, bucket="work")
    plan = _planned(objects, work, segments)
    store = AssetStore(objects=objects, manifests=_Manifests(), vectors=vectors, work=work, results=NovaFiles(objects))
    before = _resident()
    _forget_peak()
    started = time.perf_counter()
    stored = store.store(plan.key, job_uri=work.job_folder(plan))
    seconds = time.perf_counter() - started
    assert stored.segments == segments  # noqa: S101  # a measurement of less would be none
    return Line(segments, round(seconds, 2), before, _peak(), dict(requests))


def _planned(objects: Folder, work: Work, count: int) -> Plan:
    manifest = Manifest(
        uri=URI,
        status=Status.STORED,
        segments=count,
        embedder=EMBEDDER_ID,
        modality=Modality.VIDEO,
        content_type="video/mp4",
        file_name="film.mp4",
    )
    plan = Plan(run="bench", etag="etag", manifest=manifest, batches=batches(count, size=8), job=True, seconds=SECONDS)
    spans = [Span(start_seconds=index * SECONDS, end_seconds=(index + 1) * SECONDS) for index in range(count)]
    work.keep(plan, [Segment(index, Modality.VIDEO, span, "Some words. " * 50) for index, span in enumerate(spans)])
    objects.put(URI, b"film")
    output, files, chance = work.job_folder(plan), NovaFiles(objects), np.random.default_rng(0)
    rows = (chance.standard_normal(3072).astype(np.float32) for _ in spans)
    lines = b"".join(
        files.line(index, span=span, embedding=row / np.linalg.norm(row))
        for index, (span, row) in enumerate(zip(spans, rows, strict=True))
    )
    objects.put(f"{output}embedding-audio-video.jsonl", lines)
    result = {"embeddingType": "AUDIO_VIDEO_COMBINED", "status": "SUCCESS"}
    result["outputFileUri"] = f"{output}embedding-audio-video.jsonl"
    summary = {"embeddingDimension": 3072, "embeddingResults": [result]}
    objects.put(f"{output}segmented-embedding-result.json", json.dumps(summary).encode())
    return plan


def _count(requests: Counter[str], request: Any) -> None:
    requests[request.url.rpartition("/")[2]] += 1


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _peak() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024, 1)


@contextlib.contextmanager
def _served(folder: Path) -> Iterator[str]:
    program = str(Path(sys.executable).with_name("s3vectors-local"))
    command = [program, "serve", "--data", str(folder / "vectors"), "--port", "0", "--json", "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield str(json.loads(process.stdout.readline())["url"]) if process.stdout else ""
    finally:
        process.terminate()
        process.wait(timeout=20)


def main() -> None:
    """Measure once and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--segments", type=int, default=1_434)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, _served(Path(name)) as url:
        session = boto3.Session(aws_access_key_id=BUCKET, aws_secret_access_key=BUCKET, region_name="us-east-1")
        client = session.client("s3vectors", endpoint_url=url, config=client_config())
        line = measure(asked.segments, folder=Path(name), client=client)
    if asked.json:
        print(json.dumps(asdict(line)))
        return
    print(f"{line.segments:,} segments at {len(DIMENSIONS)} sizes: {line.seconds:g} s")
    print(f"memory: {line.memory_before_mib:g} MiB before, {line.memory_peak_mib:g} MiB at most")
    print("requests: " + ", ".join(f"{count} {name}" for name, count in sorted(line.requests.items())))


if __name__ == "__main__":
    main()
