"""Moving a placeholder: segments a second and peak memory; killed ten times and resumed; there and back again.

The placeholder is made first, of synthetic nested embeddings (`bench.nested`) in films of 20 segments, one object a
segment and size. Every migration is the real command in a process of its own, into an empty home.

    python -m bench.migration [--segments 100000] [--sizes 3072] [--kills 10] [--folder DIR] [--json]
"""

import argparse
import contextlib
import hashlib
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from bench.nested import Nested
from nestor.domain import DIMENSIONS
from nestor.settings import Settings
from nestor.wiring import Nestor

PROGRAM = str(Path(sys.executable).with_name("nestor"))
FILM = 20
"""Segments of an asset."""


def make(folder: Path, *, segments: int, sizes: Sequence[int]) -> None:
    """Write a placeholder of that many segments, float64 digits and all."""
    rows = itertools.islice((row for block, _ in Nested(3072).blocks() for row in block), segments)
    for number, row in enumerate(rows):
        asset, segment = f"films_{number // FILM}_mp4_20251101120000", number % FILM
        metadata = {
            "sourceS3Uri": f"s3://films/{number // FILM}.mp4",
            "fileName": f"{number // FILM}.mp4",
            "fileSize": 1_000_000,
            "uploadTimestamp": "2025-11-01T12:00:00+00:00",
            "contentType": "video/mp4",
            "objectId": asset,
            "segmentIndex": segment,
            "modalityType": "AUDIO_VIDEO_COMBINED",
            "processingTimestamp": "2025-11-01T12:05:00.123456",
            "segmentStartSeconds": 5.0 * segment,
            "segmentEndSeconds": 5.0 * segment + 5,
        }
        for size in sizes:
            prefix = row[:size].astype(np.float64)
            document = {"embedding": (prefix / np.linalg.norm(prefix)).tolist(), "metadata": metadata}
            path = folder / f"embeddings-{size}d" / asset / f"segment_{segment}.json"
            if segment == 0:
                path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(orjson.dumps(document))


def command(home: Path, *arguments: object) -> subprocess.Popen[bytes]:
    """Start a command; its children die with it."""
    return subprocess.Popen(
        [PROGRAM, "--home", home, *map(str, arguments), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def finished(process: subprocess.Popen[bytes]) -> tuple[dict[str, Any], float]:
    """Return what it printed, and its peak of resident memory in MiB."""
    peak = 0.0
    with contextlib.suppress(ProcessLookupError):
        while process.poll() is None:
            with contextlib.suppress(OSError):
                status = Path(f"/proc/{process.pid}/status").read_text()
                # Without the pages of mapped files, which the system takes back when it needs them.
                held = [int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon")]
                peak = max(peak, *(kilobytes / 1024 for kilobytes in held), 0)
            time.sleep(0.05)
    printed: dict[str, Any] = json.loads(process.communicate()[0])
    return printed, peak


def digest(home: Path) -> str:
    """Return one hash over every key and every bit of every index, and over the manifests."""
    total = [0] * len(DIMENSIONS)
    with Nestor(Settings(home=home), read_only=True) as nestor:
        for at, size in enumerate(DIMENSIONS):
            for row in nestor.vectors.rows(size):  # type: ignore[attr-defined]  # of the adapter
                metadata = orjson.dumps(dict(row.metadata), option=orjson.OPT_SORT_KEYS)
                content = row.key.encode() + row.embedding.tobytes() + metadata
                total[at] ^= int.from_bytes(hashlib.blake2b(content, digest_size=16).digest())
        manifests = hashlib.blake2b(b"".join(orjson.dumps(each) for each in nestor.manifests.all())).hexdigest()
    return f"{total}{manifests}"


def migrated(home: Path, source: Path) -> dict[str, Any]:
    """Move everything without a pause; return the figures."""
    started = time.monotonic()
    document, peak = finished(command(home, "migrate", source, "--no-verify"))
    seconds = time.monotonic() - started
    segments = document["total"]["segments"]
    return {"segments": segments, "seconds": seconds, "segments_per_second": segments / seconds, "peak_mib": peak}


def killed(home: Path, source: Path, *, kills: int, seconds: float, seed: int) -> dict[str, Any]:
    """Kill the same work at random moments while there is some left, then let it end.

    Return how often it was killed, and the figures of the last run.
    """
    draw = random.Random(seed)  # noqa: S311 - moments, no secrets
    done = 0
    while done < kills:
        process = command(home, "migrate", source, "--no-verify")
        time.sleep(draw.uniform(0.5, max(1.0, seconds / kills)))
        if process.poll() is not None:  # all is moved, and nothing is left to be interrupted
            process.communicate()
            break
        os.killpg(process.pid, signal.SIGKILL)
        done += 1
        process.communicate()
    document, _ = finished(command(home, "migrate", source))
    return {"kills": done, "seed": seed, "verification": document["verification"], "last_run": document["assets"]}


@contextlib.contextmanager
def workplace(folder: Path | None) -> Iterator[Path]:
    """Give an empty folder, and remove it."""
    made = Path(tempfile.mkdtemp(prefix="nestor-migration-", dir=folder))
    try:
        yield made
    finally:
        shutil.rmtree(made)


def main() -> None:
    """Measure, and print each line when it is known, and all as JSON at the end if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segments", type=int, default=100_000)
    parser.add_argument("--sizes", type=int, nargs="+", default=[3072], choices=DIMENSIONS)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="Where to work: 65 kB a segment of 3072, twice.")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()

    def tell(line: str) -> None:
        print(line, file=sys.stderr if asked.json else sys.stdout, flush=True)

    with workplace(asked.folder) as folder:
        make(folder / "old", segments=asked.segments, sizes=asked.sizes)
        whole = migrated(folder / "whole", folder / "old")
        tell(
            f"migrated    {whole['segments']:,} segments in {whole['seconds']:.0f} s: "
            f"{whole['segments_per_second']:,.0f}/s, {whole['peak_mib']:.0f} MiB"
        )
        once = digest(folder / "whole")
        torn = killed(folder / "torn", folder / "old", kills=asked.kills, seconds=whole["seconds"], seed=asked.seed)
        torn["same_as_unbroken"] = digest(folder / "torn") == once
        tell(
            f"killed      {torn['kills']} times and resumed: same end {torn['same_as_unbroken']}, "
            f"verified {torn['verification']['holds']}"
        )
        shutil.rmtree(folder / "torn")
        started = time.monotonic()
        returned, peak = finished(command(folder / "whole", "rollback", folder / "back", "--all"))
        back = {"segments": returned["segments"], "seconds": time.monotonic() - started, "peak_mib": peak}
        tell(f"rolled back {back['segments']:,} segments in {back['seconds']:.0f} s, {back['peak_mib']:.0f} MiB")
        again = migrated(folder / "again", folder / "back")
        again["same_bits"] = digest(folder / "again") == once
        tell(f"and again   {again['segments_per_second']:,.0f}/s: same bits {again['same_bits']}")
    if asked.json:
        figures = {"sizes": asked.sizes, "migration": whole, "killed": torn, "rollback": back, "again": again}
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
