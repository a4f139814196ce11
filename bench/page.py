"""What `nestor serve` takes over the samples: the first page, a question, and many users at once.

A new home is filled with the project's samples and served by the real command. Questions are made of the samples' own
words, each asked once, so that the embedder works for every one; then the same again, which it remembers. `beside` is
the time of a question without that of embedding it, as the answer tells. Each user sends the next question when the
answer is there; all users are threads of one other process, which takes its part of the processors.

    python -m bench.page [--users 50] [--seconds 120] [--json FILE]
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

PROGRAM = Path(sys.executable).with_name("nestor")
SAMPLES = Path(__file__).parents[1] / "samples"
QUESTIONS = 200
"""Asked one by one."""
WORDS = (
    "dog sled snow geese sky formation bridge river stone market fruit lecture voice robin song machine space launch "
    "rocket chart table page report winter mountain people street light colour animal water music history"
)
"""What questions are made of."""


@dataclass(frozen=True, slots=True)
class Line:
    """Milliseconds of the whole answer, as the client sees it."""

    what: str
    answers: int
    p50: float
    p99: float
    a_second: float | None = None
    failed: int = 0


def measure(*, users: int, seconds: float) -> Iterator[Line]:
    """Yield a line for each thing measured."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        subprocess.run([PROGRAM, "--home", home, "ingest", SAMPLES, "--json"], check=True, capture_output=True)
        started = time.perf_counter()
        with _served(home) as url:
            yield _line("start of the command to its address", [time.perf_counter() - started])
            yield _line("first page, from then on", [_fetch(_connected(url), "GET", "/")[0]])
            time.sleep(5)  # the embedder is loaded beside
            yield _line("a page", [_fetch(_connected(url), "GET", "/?q=dogs")[0] for _ in range(QUESTIONS)])
            asked = questions(QUESTIONS, seed=0)
            for what in ("a question, new", "a question, known"):
                answers = [_ask(_connected(url), each) for each in asked]
                yield _line(what, [took for took, _ in answers])
                yield _line(f"{what}: beside the embedder", [took - embedding for took, embedding in answers])
            yield together(url, users=users, seconds=seconds)


def questions(count: int, *, seed: int) -> list[str]:
    """Return questions of six words each, as good as never the same."""
    draw = random.Random(seed)  # noqa: S311 - not a secret
    return [" ".join(draw.choices(WORDS.split(), k=6)) for _ in range(count)]


def together(url: str, *, users: int, seconds: float) -> Line:
    """Let that many users ask, each with new questions, and return what all of them saw."""
    took: list[float] = []
    failures: list[str] = []
    until = time.perf_counter() + seconds

    def use(number: int) -> None:
        connection = _connected(url)
        for question in questions(100_000, seed=number + 1):
            if time.perf_counter() > until:
                return
            try:
                took.append(_ask(connection, question)[0])
            except (OSError, RuntimeError) as error:
                failures.append(str(error))
                connection = _connected(url)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(users)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    line = _line(f"{users} users for {seconds:.0f} s, new questions", took)
    return Line(line.what, line.answers, line.p50, line.p99, round(len(took) / seconds, 1), len(failures))


@contextmanager
def _served(home: Path) -> Iterator[str]:
    command = [str(PROGRAM), "--home", str(home), "serve", "--port", "0", "--json", "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as served:
        if served.stdout is None or not (line := served.stdout.readline()):
            raise RuntimeError("the server did not start")
        try:
            yield json.loads(line)["url"]
        finally:
            served.terminate()


def _connected(url: str) -> HTTPConnection:
    parts = urlsplit(url)
    return HTTPConnection(parts.hostname or "", parts.port, timeout=60)


def _ask(connection: HTTPConnection, question: str) -> tuple[float, float]:
    """Return the seconds of the answer and, of these, those of embedding. Raises RuntimeError for a refusal."""
    body = json.dumps({"query": question, "dimension": 1024})
    took, answer = _fetch(connection, "POST", "/query", body)
    return took, json.loads(answer)["took_ms"].get("embed", 0.0) / 1000


def _fetch(connection: HTTPConnection, method: str, path: str, body: str | None = None) -> tuple[float, bytes]:
    started = time.perf_counter()
    connection.request(method, path, body, {"content-type": "application/json"} if body else {})
    response = connection.getresponse()
    content = response.read()
    if response.status >= 300:
        raise RuntimeError(f"{method} {path}: {response.status} {content[:200]!r}")
    return time.perf_counter() - started, content


def _line(what: str, seconds: Sequence[float]) -> Line:
    p50, p99 = np.percentile(np.array(seconds) * 1000, [50, 99]).round(2).tolist()
    return Line(what, len(seconds), p50, p99)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    print(f"{'':46}{'answers':>9}{'p50 ms':>10}{'p99 ms':>10}{'a second':>10}{'failed':>8}")
    lines: list[dict[str, Any]] = []
    for line in measure(users=given.users, seconds=given.seconds):
        lines.append(asdict(line))
        rate = "" if line.a_second is None else f"{line.a_second:.0f}"
        print(f"{line.what:46}{line.answers:9,}{line.p50:10.2f}{line.p99:10.2f}{rate:>10}{line.failed:8}", flush=True)
    if given.json:
        given.json.write_text(json.dumps(lines, indent=1) + "\n")


if __name__ == "__main__":
    main()
