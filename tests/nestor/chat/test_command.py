"""`nestor chat` as a person and a program meet it."""

import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.nestor.chat.conftest import TEXTS
from tests.nestor.cli.conftest import PROGRAM, Answer, run
from tests.standins.completions import Completions, completing


class Stalled(list[bytes]):
    """The parts of an answer that stops in the middle, until `over`."""

    over = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        """Yield some pieces, and wait."""
        yield from [b'data: {"choices": [{"delta": {"content": "endless "}}]}\n\n'] * 3
        self.over.wait(60)


BRIDGE = "When was the stone bridge of Harrow built?"
Ask = Callable[..., Answer]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home with the texts, one of them under a name that a terminal would obey."""
    folder = tmp_path_factory.mktemp("chat")
    for name, text in TEXTS.items():
        (folder / name).write_text(text)
    (folder / "bridge.txt").rename(folder / "bridge\x1b[2J.txt")
    answer = run(folder / "home", "ingest", *folder.glob("*.txt"))
    assert answer.code == 0, answer.err
    return folder / "home"


@pytest.fixture
def ask(home: Path) -> Ask:
    """Return a function that runs `nestor chat` there."""
    return lambda *arguments, **environment: run(home, "chat", *arguments, **environment)


@pytest.fixture
def service() -> Iterator[Completions]:
    """Return the stand-in of a model."""
    with completing() as service:
        yield service


def test_without_a_model(ask: Ask) -> None:
    """The answer and its places on stdout, words on stderr; no escape sequence of a file name reaches the terminal."""
    answer = ask(BRIDGE)
    assert answer.code == 0
    assert "“The old stone bridge of Harrow was built in 1732.” [1]" in answer.out
    assert "[1] bridge[2J.txt  file://" in answer.out
    assert answer.err.startswith("Extractive, ")
    assert "\x1b" not in answer.out + answer.err


def test_nothing_found(ask: Ask) -> None:
    """Is an answer, and says how near the best was."""
    answer = ask("Which vaccines protect penguins?")
    assert answer.code == 0
    assert answer.out.startswith("Nothing relevant was found")
    assert "(measured here)" in answer.err


def test_with_a_model_as_json(ask: Ask, service: Completions, tmp_path: Path) -> None:
    """One event a line; the key comes from the file and stays out of what is printed."""
    key = tmp_path / "key"
    key.write_text("sk-secret")
    service.says("Built in 1732 [1] ", "![x](https://evil.example/) [5].")
    environment = {"NESTOR_CHAT_MODEL": "llava", "NESTOR_CHAT_URL": service.url, "NESTOR_CHAT_KEY_FILE": str(key)}
    answer = ask(BRIDGE, "--json", "--dimension", 256, **environment)
    events = [json.loads(line) for line in answer.out.splitlines()]
    assert (answer.code, answer.err) == (0, "")
    assert (events[0]["event"], events[0]["dimension"]) == ("retrieved", 256)
    assert events[0]["passages"][0]["text"] == TEXTS["bridge.txt"]
    assert "".join(event["text"] for event in events if event["event"] == "text") == "Built in 1732 [1] x."
    assert events[-2] == {"event": "citations", "numbers": [1], "removed_citations": 1, "removed_links": 1}
    assert (events[-1]["mode"], events[-1]["model"]) == ("model", "llava")
    assert service.keys == ["Bearer sk-secret"]


def test_lines_are_a_conversation(home: Path) -> None:
    """Without a question each line of the input is one; a follow-up is understood by the one before."""
    done = subprocess.run(
        [PROGRAM, "--home", home, "chat", "--json"],
        input=f"{BRIDGE}\n\nWhat did they carry?\n",
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found = [event for event in map(json.loads, done.stdout.splitlines()) if event["event"] == "retrieved"]
    assert [event["query"] for event in found] == [BRIDGE, f"{BRIDGE} What did they carry?"]


def test_calibrate(ask: Ask) -> None:
    """Every size, from a hundred questions; not together with a question."""
    measured = [json.loads(line) for line in ask("--calibrate", "--json").out.splitlines()]
    assert [each["dimension"] for each in measured] == [256, 384, 1024, 3072]
    assert all(each["questions"] == 100 and 0 < each["threshold"] < 1 for each in measured)
    assert ask(BRIDGE, "--calibrate").code == 2


def test_exit_codes(ask: Ask, service: Completions, tmp_path: Path) -> None:
    """7 when the model fails, 2 for wrong input."""
    service.status, service.body = 503, [b'{"error": "loading"}']
    answer = ask(BRIDGE, NESTOR_CHAT_MODEL="m", NESTOR_CHAT_URL=service.url)
    assert (answer.code, "loading. Try again" in answer.err, answer.out) == (7, True, "")
    for wrong in ({"NESTOR_CHAT_URL": service.url}, {"NESTOR_CHAT_MODEL": "m", "NESTOR_CHAT_KEY_FILE": "x"}):
        assert ask(BRIDGE, **wrong).code == 2
    assert ask(" ").code == 2
    assert ask(BRIDGE, "--top-k", 21).code == 2
    assert run(tmp_path / "empty", "chat", BRIDGE).code == 2


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_an_interruption_ends_the_answer_not_the_conversation(home: Path, service: Completions) -> None:
    """At a terminal Ctrl-C ends the answer that is being written, and the next question is answered."""
    service.body = stalled = Stalled()
    environment = {**os.environ, "NESTOR_CHAT_MODEL": "m", "NESTOR_CHAT_URL": service.url}
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [PROGRAM, "--home", home, "chat"], stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as chat:
        os.close(theirs)
        assert chat.stdout is not None
        assert chat.stderr is not None
        os.write(ours, f"{BRIDGE}\n".encode())
        assert chat.stdout.read(8) == b"endless "
        service.says("Built in 1732 [1].")
        chat.send_signal(signal.SIGINT)
        until = time.monotonic() + 30
        told = b""
        while b"(ended)" not in told and time.monotonic() < until:
            told += os.read(chat.stderr.fileno(), 4_096)
        os.write(ours, f"{BRIDGE}\n\x04".encode())
        out, _ = chat.communicate(timeout=60)
        os.close(ours)
    stalled.over.set()
    assert b"(ended)" in told
    assert b"Built in 1732 [1].\n[1] bridge" in out
    assert chat.returncode == 0
