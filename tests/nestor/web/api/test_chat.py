"""POST /chat: answers with citations, whole or as they come, by quotations and by a model over real HTTP."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.testclient import TestClient
from tests.nestor.cli.conftest import run
from tests.standins.completions import Completions, completing

from nestor.settings import Settings
from nestor.web.app import create
from nestor.web.context import Options
from nestor.web.limits import Limits
from nestor.web.shapes import ChatAnswer
from nestor.web.tokens import Tokens
from nestor.wiring import Nestor

Application = Callable[..., TestClient]
Uploading = Callable[..., dict[str, Any]]
Telling = Callable[[Any, int], str]
Event = tuple[str, dict[str, Any]]

SWIFT = "They sleep in the air."
TEXTS = {"swallow.txt": b"One swallow does not make a summer.", "swift.txt": SWIFT.encode()}
TOKEN = "correct horse battery staple"  # noqa: S105  # it opens nothing


class Endless(list[bytes]):
    """The parts of an answer that has no end, until `over`."""

    over = False

    def __iter__(self) -> Iterator[bytes]:
        """Yield the same piece again and again."""
        while not self.over:
            yield b'data: {"choices": [{"delta": {"content": "and on "}}]}\n\n'
            time.sleep(0.005)


@pytest.fixture
def birds(upload: Uploading) -> None:
    """Store two texts."""
    upload(TEXTS, collection="birds")


@pytest.fixture
def service() -> Iterator[Completions]:
    """Return the stand-in of a model."""
    with completing() as service:
        yield service


@pytest.fixture
def modelled(settings: Settings, service: Completions, digest_embedder: Any, tmp_path: Path) -> Iterator[Nestor]:
    """Return a home with the two texts, in which the stand-in answers."""
    for name, text in TEXTS.items():
        (tmp_path / name).write_bytes(text)
    asking = replace(settings, chat_model="llava", chat_url=service.url)
    with Nestor(asking, embedder=digest_embedder) as nestor:
        for _ in nestor.ingest.run([tmp_path / name for name in TEXTS]):
            pass
        yield nestor


@pytest.fixture
def served(modelled: Nestor) -> Iterator[TestClient]:
    """Return a client of that home."""
    with TestClient(create(modelled, options=Options(page=False)), base_url="http://localhost") as client:
        yield client


def _events(text: str) -> list[Event]:
    """Return the events of a stream, by the standard's own rules: a line `event`, a line `data`, an empty line."""
    found = []
    for block in text.removesuffix("\n\n").split("\n\n"):
        named, data = block.split("\n")
        found.append((named.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def _said(events: list[Event]) -> str:
    return "".join(told["text"] for name, told in events if name == "text")


@pytest.mark.usefixtures("birds")
def test_an_answer_comes_in_events(client: TestClient) -> None:
    """What was found, the quotation with its number, what it cites, the end: in this order, as an event stream."""
    answer = client.post("/chat", json={"question": SWIFT, "top_k": 1})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = _events(answer.text)
    assert [name for name, _ in events if name != "text"] == ["retrieved", "citations", "done"]
    assert all(told["event"] == name for name, told in events)
    (passage,) = events[0][1]["passages"]
    assert (passage["number"], passage["file"], passage["text"]) == (1, "swift.txt", SWIFT)
    assert passage["link"] == f"/asset/{passage['object_id']}?segment=0"
    assert f"“{SWIFT}” [1]" in _said(events)
    assert events[-2][1]["numbers"] == [1]
    assert (events[-1][1]["mode"], events[-1][1]["model"]) == ("extractive", None)


@pytest.mark.usefixtures("birds")
@pytest.mark.parametrize(
    ("body", "accept"),
    [({}, "application/json"), ({"stream": False}, "*/*"), ({"stream": False}, "text/event-stream")],
    ids=str,
)
def test_an_answer_comes_whole(client: TestClient, body: dict[str, Any], accept: str) -> None:
    """One document of all that the events tell, for who accepts only JSON or says so in the body."""
    answer = client.post("/chat", json={"question": SWIFT, "k": 1, **body}, headers={"accept": accept})
    assert answer.headers["content-type"] == "application/json"
    told = answer.json()
    ChatAnswer.model_validate(told)
    assert f"“{SWIFT}” [1]" in told["answer"]
    assert [passage["file"] for passage in told["passages"]] == ["swift.txt"]
    assert told["citations"] == {"numbers": [1], "removed_citations": 0, "removed_links": 0}
    assert (told["mode"], told["usage"], told["dimension"]) == ("extractive", None, 3072)
    assert told["took_ms"]["total"] > 0
    assert "event" not in told


@pytest.mark.usefixtures("birds")
def test_a_stream_is_asked_for_by_name(client: TestClient) -> None:
    """`"stream": true`, or a client that accepts both, gets events."""
    for body, accept in (
        ({"stream": True}, "application/json"),
        ({}, "application/json, text/event-stream"),
        ({}, "*/*"),
    ):
        answer = client.post("/chat", json={"question": SWIFT, **body}, headers={"accept": accept})
        assert answer.headers["content-type"].startswith("text/event-stream")


def test_where_nothing_can_be_streamed_the_answer_is_whole(
    application: Application, over: Callable[..., dict[str, Any]]
) -> None:
    """Behind an HTTP API of AWS, whatever is accepted."""
    client = application(streams=False)
    over(client, client.post("/assets", files={"file": ("swift.txt", SWIFT.encode())}).json()["id"])
    answer = client.post("/chat", json={"question": SWIFT, "stream": True}, headers={"accept": "text/event-stream"})
    assert answer.json()["mode"] == "extractive"


@pytest.mark.usefixtures("birds")
def test_nothing_relevant_is_an_answer(client: TestClient) -> None:
    """It says so, cites nothing and tells how near the best was."""
    told = client.post("/chat", json={"question": "Which vaccines protect penguins?", "stream": False}).json()
    assert (told["mode"], told["passages"], told["citations"]["numbers"]) == ("nothing found", [], [])
    assert told["answer"].startswith("Nothing relevant was found")
    assert told["best"] <= told["threshold"]


@pytest.mark.usefixtures("birds")
def test_the_members_of_a_query_hold(client: TestClient) -> None:
    """Size, strategy, collection and filter choose as they do for POST /query."""
    asked = {"question": SWIFT, "dimension": 256, "strategy": "hierarchical", "stream": False}
    told = client.post("/chat", json={**asked, "collection": "birds", "filter": {"file_name": "swift.txt"}}).json()
    assert (told["dimension"], told["strategy"], told["mode"]) == (256, "hierarchical", "extractive")
    others = client.post("/chat", json={**asked, "collection": "others"}).json()
    assert (others["mode"], others["best"]) == ("nothing found", None)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "no JSON"),
        (b"[]", "JSON object"),
        (b'{"question": ""}', "empty"),
        (b"{}", "empty"),
        (b'{"question": 7}', "a text"),
        (b'{"query": "x"}', "'query' is unknown"),
        (b'{"question": "x", "coarse": 256}', "'coarse' is unknown"),
        (b'{"question": "' + b"x" * 2001 + b'"}', "2,000"),
        (b'{"question": "x", "top_k": 21}', "1 to 20"),
        (b'{"question": "x", "top_k": 1, "k": 1}', "the same"),
        (b'{"question": "x", "dimension": 7}', "7"),
        (b'{"question": "x", "strategy": "guess"}', "guess"),
        (b'{"question": "x", "stream": 1}', "true or false"),
        (b'{"question": "x", "conversation": {}}', "conversation"),
        (b'{"question": "x", "conversation": [{"question": "y"}]}', "conversation.0.answer"),
        (b'{"question": "x", "conversation": [{"question": "y", "answer": "", "role": "system"}]}', "0.role"),
        (b'{"question": "x", "conversation": [{"question": "y", "answer": "", "passages": [{}]}]}', "object_id"),
        (b'{"question": "x", "conversation": [' + b", ".join([b'{"question": "y", "answer": ""}'] * 9) + b"]}", "8"),
    ],
    ids=lambda value: value[:50].decode() if isinstance(value, bytes) else value,
)
@pytest.mark.usefixtures("birds")
def test_bad_questions_are_refused(client: TestClient, error_of: Telling, body: bytes, told: str) -> None:
    """400 in the usual shape, naming the member, though a stream was asked for."""
    answer = client.post("/chat", content=body)
    assert error_of(answer, 400) == "InvalidInput"
    assert told in answer.json()["error"]["message"]


def test_too_much_is_refused(application: Application, error_of: Telling) -> None:
    """413 for a body beyond the limit."""
    client = application(Limits(body_bytes=100))
    assert error_of(client.post("/chat", json={"question": "x" * 200}), 413) == "TooLarge"


def test_it_is_guarded_as_a_query_is(application: Application, error_of: Telling) -> None:
    """Without a token 401; from another page 403."""
    client = application(tokens=Tokens([TOKEN]))
    assert error_of(client.post("/chat", json={"question": "x"}), 401) == "Unauthorized"
    known = {"authorization": f"Bearer {TOKEN}", "origin": "https://evil.example"}
    assert error_of(client.post("/chat", json={"question": "x"}, headers=known), 403) == "WrongOrigin"


def test_a_model_answers(served: TestClient, service: Completions) -> None:
    """Its words, piece by piece and without the links it made up; its name and what it counted."""
    service.says("In the air [1] ", "![x](https://evil.example/?q=secret) [7].")
    events = _events(served.post("/chat", json={"question": SWIFT}).text)
    assert _said(events) == "In the air [1] x."
    assert len([name for name, _ in events if name == "text"]) > 1
    assert events[-2][1] == {"event": "citations", "numbers": [1], "removed_citations": 1, "removed_links": 1}
    assert (events[-1][1]["mode"], events[-1][1]["model"]) == ("model", "llava")
    assert events[-1][1]["usage"] == {"input_tokens": 12, "output_tokens": 3}


def test_the_conversation_goes_with_the_next_question(served: TestClient, service: Completions) -> None:
    """What an answer calls its turn is what the model is sent before the next question."""
    service.says("In the air [1].")
    turn = served.post("/chat", json={"question": SWIFT, "stream": False}).json()["turn"]
    assert (turn["question"], turn["query"], turn["answer"]) == (SWIFT, SWIFT, "In the air [1].")
    assert [place["file"] for place in turn["passages"]] == ["swift.txt"]
    service.says(SWIFT)
    following = {"question": "And where do they eat?", "conversation": [turn], "stream": False}
    told = served.post("/chat", json=following).json()
    sent = [(each["role"], str(each["content"])) for each in service.asked[-1]["messages"]]
    assert [role for role, _ in sent] == ["system", "user", "assistant", "user"]
    assert SWIFT in sent[1][1]
    assert "In the air" in sent[2][1]
    assert told["query"] == SWIFT  # as the model put the question


@pytest.mark.usefixtures("birds")
def test_a_place_of_the_last_answer_can_be_named(client: TestClient) -> None:
    """As "the second file": the search keeps to the file that came second."""
    everything = {"question": "birds", "stream": False, "filter": {"collection": "birds"}}
    listed = client.get("/assets").json()["assets"]
    swallow = next(each["object_id"] for each in listed if each["file_name"] == "swallow.txt")
    swift = next(each["object_id"] for each in listed if each["file_name"] == "swift.txt")
    turn = {"question": "x", "answer": "y", "passages": [{"object_id": swallow}, {"object_id": swift}]}
    asked = {**everything, "conversation": [turn]}
    first = client.post("/chat", json={**asked, "question": "What does the first file say?"}).json()
    second = client.post("/chat", json={**asked, "question": "What does the second file say?"}).json()
    unnamed = client.post("/chat", json={**asked, "question": "What does a file say?"}).json()
    # Its embedding is as good as random, so the best of one file and of the other differ.
    assert first["best"] != second["best"]
    assert unnamed["best"] is not None


def test_a_model_that_fails_at_once_has_a_status(served: TestClient, service: Completions, error_of: Telling) -> None:
    """A whole answer: 502, or 429 where it was asked too much; nothing of the service's own words."""
    body = {"question": SWIFT, "stream": False}
    service.status, service.body = 401, [b"secret of the service"]
    answer = served.post("/chat", json=body)
    assert error_of(answer, 502) == "ModelFailed"
    assert "secret" not in answer.text
    service.status = 503
    assert error_of(served.post("/chat", json=body), 502) == "ModelFailed"
    service.status = 429
    assert error_of(served.post("/chat", json=body), 429) == "Throttled"


def test_a_failure_in_between_is_an_event(served: TestClient, service: Completions) -> None:
    """The last event, in the shape of every error, with the id of the answer's header."""
    service.says("In the ")
    service.body = [*service.body[:1], b"data: no JSON\n\n"]
    answer = served.post("/chat", json={"question": SWIFT})
    events = _events(answer.text)
    assert (answer.status_code, events[0][0], events[-1][0]) == (200, "retrieved", "error")
    error = events[-1][1]["error"]
    assert (error["code"], error["id"]) == ("ModelFailed", answer.headers["x-request-id"])
    assert "done" not in [name for name, _ in events]


def test_a_question_before_anything_is_stored(client: TestClient, error_of: Telling) -> None:
    """An error that says what to do, and no stream."""
    answer = client.post("/chat", json={"question": "anything"})
    assert error_of(answer, 400) == "InvalidInput"
    assert "nestor ingest" in answer.json()["error"]["message"]


def test_text_of_files_and_models_stays_data(served: TestClient, service: Completions) -> None:
    """Neither an event of its own nor markup can be made by what is said: each event is one line of JSON."""
    service.says('In <b>air</b>\n\nevent: done\ndata: {"mode": "hacked"}\n\n<script>alert(1)</script> [1].')
    text = served.post("/chat", json={"question": SWIFT}).text
    events = _events(text)
    assert [name for name, _ in events].count("done") == 1
    assert '{"mode": "hacked"}' in _said(events)
    assert "<script" not in _said(events)


@pytest.fixture
def small(modelled: Nestor) -> FastAPI:
    """Return the application of that home that writes one answer at a time, and lets none wait."""
    return create(modelled, options=Options(page=False, limits=Limits(chats=1, waiting=0)))


@pytest.fixture
def address(small: FastAPI) -> Iterator[str]:
    """Serve it over real HTTP and return where."""
    server = uvicorn.Server(uvicorn.Config(small, port=0, log_level="error", lifespan="on"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


def test_who_leaves_ends_the_answer(address: str, service: Completions, error_of: Telling) -> None:
    """The model's stream ends when the client goes; until then no other answer has a place, and then one has."""
    service.body = Endless()
    with _asking(address):
        assert error_of(httpx2.post(f"{address}/chat", json={"question": SWIFT}), 503) == "Busy"
        assert not service.gone.is_set()
    assert service.gone.wait(10)
    service.says("In the air [1].")
    deadline = time.monotonic() + 10
    while (again := httpx2.post(f"{address}/chat", json={"question": SWIFT})).status_code == 503:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert _said(_events(again.text)) == "In the air [1]."


def test_the_end_of_the_server_ends_answers(address: str, small: FastAPI, service: Completions) -> None:
    """Whoever listens is told by an event, and the model's stream ends."""
    service.body = Endless()
    with _asking(address) as lines:
        small.state.context.closing.set()
        assert '"code":"Stopping"' in list(lines)[-2]
    assert service.gone.wait(10)


@contextmanager
def _asking(address: str) -> Iterator[Iterator[str]]:
    """Ask, and give the lines of the answer from its first words on."""
    with (
        httpx2.Client(base_url=address) as client,
        client.stream("POST", "/chat", json={"question": SWIFT}) as answer,
    ):
        lines = answer.iter_lines()
        assert "retrieved" in next(lines)
        while "and on" not in next(lines):
            pass
        yield lines


def test_a_model_that_is_set_up_wrongly_is_told_at_the_start(tmp_path: Path) -> None:
    """`nestor serve` ends with exit code 2 and names the variable, before it tells an address."""
    answer = run(
        tmp_path / "home",
        *("serve", "--port", 0, "--json"),
        NESTOR_CHAT_MODEL="llava",
        NESTOR_CHAT_URL="http://127.0.0.1:9/v1",
        NESTOR_CHAT_KEY_FILE=str(tmp_path / "none"),
    )
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("nestor: NESTOR_CHAT_KEY_FILE: cannot read a key")
