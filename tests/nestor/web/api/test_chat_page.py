"""The page of the chat as a program meets it: its cookie, its events, what is kept and what is escaped."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.standins.completions import Completions, completing

from nestor.chat import Passage
from nestor.moments import described
from nestor.refusals import Refused
from nestor.settings import Settings
from nestor.web.app import create
from nestor.web.context import Options
from nestor.web.pages import talks
from nestor.web.pages.talks import Talk, Talks, pieces
from nestor.web.pages.wishes import Wish
from nestor.web.refusing import told
from nestor.wiring import Nestor

EVIL = 'They <b>sleep</b> in the air. </p><script>alert("x")</script><img src=x onerror=alert(1)>'
NAME = "<i>swift&.txt"
SCRIPTED = {"accept": "text/event-stream"}
Browser = Callable[[], TestClient]


@pytest.fixture
def service() -> Iterator[Completions]:
    """Return the stand-in of a model."""
    with completing() as service:
        yield service


@pytest.fixture
def home(settings: Settings, digest_embedder: Any, tmp_path: Path) -> Iterator[Callable[..., Nestor]]:
    """Return a function that opens a home with one text under a name that is markup, with these settings."""
    with ExitStack() as opened:

        def opening(**changed: Any) -> Nestor:
            (tmp_path / NAME).write_text(EVIL)
            nestor = opened.enter_context(Nestor(replace(settings, **changed), embedder=digest_embedder))
            for _ in nestor.ingest.run([tmp_path / NAME]):
                pass
            return nestor

        yield opening


@pytest.fixture
def browsing() -> Iterator[Callable[[Nestor], TestClient]]:
    """Return a function that serves a home with its page to a client that keeps cookies."""
    with ExitStack() as opened:
        yield lambda nestor: opened.enter_context(
            TestClient(create(nestor, options=Options()), base_url="http://localhost", follow_redirects=False)
        )


@pytest.fixture
def client(home: Callable[..., Nestor], browsing: Callable[[Nestor], TestClient]) -> TestClient:
    """Return a client of the page without a model."""
    return browsing(home())


@pytest.fixture
def modelled(home: Callable[..., Nestor], browsing: Callable[[Nestor], TestClient], service: Completions) -> TestClient:
    """Return a client of the page with the stand-in as its model."""
    return browsing(home(chat_model="<u>llava</u>", chat_url=service.url))


def _events(text: str) -> list[tuple[str, dict[str, Any]]]:
    blocks = [block.split("\n") for block in text.removesuffix("\n\n").split("\n\n")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]


def test_a_form_is_answered_by_the_page(client: TestClient) -> None:
    """The question is sent on to the page, which holds it; the cookie is for this server and no script."""
    sent = client.post("/chat/ask", data={"q": EVIL, "dimension": "256"})
    assert (sent.status_code, sent.headers["location"]) == (303, "/chat?dimension=256#latest")
    cookie = sent.headers["set-cookie"].lower()
    assert cookie.startswith("nestor-chat=")
    assert {"httponly", "samesite=strict"} <= {each.strip() for each in cookie.split(";")}
    page = client.get("/chat").text
    assert page.count('class="turn"') == 2  # one of them in the template for the next
    assert "256 components" in page
    client.cookies.clear()
    assert client.get("/chat").text.count('class="turn"') == 1


def test_nothing_of_a_file_is_markup(client: TestClient) -> None:
    """Neither its text nor its name, neither in a page nor in an event."""
    events = _events(client.post("/chat/ask", data={"q": EVIL}, headers=SCRIPTED).text)
    page = client.get("/chat").text
    for text in (page, *(part["html"] for name, part in events if name in {"piece", "end"})):
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "<b>sleep" not in text
        assert "<i>swift" not in text
    assert "&lt;i&gt;swift&amp;.txt" in page
    assert "&lt;b&gt;" in page


def test_nothing_of_a_model_is_markup(modelled: TestClient, service: Completions) -> None:
    """Neither its answer, whatever the pieces, nor its name."""
    service.says("a <b>x</b> <scr", "ipt>alert(1)</scr", 'ipt> <a href="https://evil.example">y</a> "quoted" [', "1].")
    events = _events(modelled.post("/chat/ask", data={"q": EVIL}, headers=SCRIPTED).text)
    said = "".join(part["html"] for name, part in events if name == "piece")
    page = modelled.get("/chat").text
    for text in (said, events[-1][1]["html"], page):
        assert "<script>" not in text
        assert "<b>" not in text
        assert "evil.example" not in text
        assert "<u>llava" not in text
    assert said.strip() in page  # piece by piece it is what the page shows as a whole
    assert 'class="cite"' in said


def test_the_script_gets_parts_of_the_page(client: TestClient) -> None:
    """How many passages, the quotations without the sentence that the page says by itself, and what stands below."""
    events = _events(client.post("/chat/ask", data={"q": EVIL}, headers=SCRIPTED).text)
    assert [name for name, _ in events if name != "piece"] == ["found", "end"]
    assert events[0][1] == {"count": 1}
    said = "".join(part["html"] for name, part in events if name == "piece")
    assert said.startswith("“")
    assert "No chat model" not in said
    assert "Quoted from your files" in events[-1][1]["html"]


def test_what_goes_wrong_first_has_a_status(client: TestClient) -> None:
    """To the script as JSON, to a person as a page with an id; nothing is kept of it."""
    told = client.post("/chat/ask", data={"q": "x" * 2001}, headers=SCRIPTED)
    assert (told.status_code, told.json()["error"]["code"]) == (400, "InvalidInput")
    shown = client.post("/chat/ask", data={"q": " "}, headers={"accept": "text/html"})
    assert shown.status_code == 400
    assert "The question is empty" in shown.text
    assert shown.headers["x-request-id"] in shown.text
    assert client.post("/chat/ask", content="q=%ff").status_code == 400
    assert client.get("/chat").text.count('class="turn"') == 1


@pytest.mark.parametrize("headers", [SCRIPTED, {}], ids=["script", "form"])
def test_what_fails_later_stays_with_its_question(
    modelled: TestClient, service: Completions, headers: dict[str, str]
) -> None:
    """What came and that it failed are shown, at once and on the page, without what the service said."""
    service.says("They sleep ", "a lot")
    service.body = [*service.body[:1], b"data: secret\n\n"]
    sent = modelled.post("/chat/ask", data={"q": EVIL}, headers=headers)
    page = modelled.get("/chat").text
    assert sent.status_code == (200 if headers else 303)
    for text in (page, *([_events(sent.text)[-1][1]["html"]] if headers else [])):
        assert "The answer could not be finished" in text
        assert "secret" not in text
    assert "They sleep" in page


def test_a_conversation_goes_on_until_it_is_begun_again(modelled: TestClient, service: Completions) -> None:
    """The model is sent the turns before; after `new`, none, and the page is empty."""
    service.says("In the air [1].")
    modelled.post("/chat/ask", data={"q": EVIL})
    service.says(EVIL)
    modelled.post("/chat/ask", data={"q": "And where do they eat?"})
    assert "In the air" in str(service.asked[-1]["messages"])
    begun = modelled.post("/chat/new")
    assert (begun.status_code, begun.headers["location"]) == (303, "/chat")
    modelled.post("/chat/ask", data={"q": EVIL})
    assert "In the air" not in str(service.asked[-1]["messages"])
    assert modelled.get("/chat").text.count('class="turn"') == 2


def test_a_conversation_keeps_eight_turns(client: TestClient) -> None:
    """The oldest goes."""
    for number in range(9):
        client.post("/chat/ask", data={"q": f"number{number} {EVIL}"})
    page = client.get("/chat").text
    assert page.count('class="turn"') == 8 + 1
    assert "number0" not in page
    assert "number8" in page


def test_another_page_may_not_ask(client: TestClient) -> None:
    """Nor begin again: its Origin is not ours."""
    for path in ("/chat/ask", "/chat/new"):
        assert client.post(path, data={"q": "x"}, headers={"origin": "https://evil.example"}).status_code == 403


def test_one_conversation_writes_one_answer(home: Callable[..., Nestor], monkeypatch: pytest.MonkeyPatch) -> None:
    """Another question waits, and is refused when that takes too long; one that was left makes way."""
    monkeypatch.setattr(talks, "WAIT_SECONDS", 0.05)
    chat, talk, wish = home().chat, Talk(), Wish(words=EVIL)
    first = talk.ask(chat, wish, told=told)
    next(first)
    with pytest.raises(Refused, match="still being written"):
        next(talk.ask(chat, wish, told=told))
    first.close()
    assert [turn.is_over for turn in talk.turns] == [True]
    assert len(list(talk.ask(chat, wish, told=told))) > 2
    assert len(talk.turns) == 2


def test_conversations_are_bounded() -> None:
    """The one unused for longest makes room for a new one; one that is used stays."""
    kept = Talks(2)
    first, _ = kept.begin()
    second, _ = kept.begin()
    assert kept.get(first) is not None
    third, _ = kept.begin()
    assert [kept.get(name) is not None for name in (first, second, third)] == [True, False, True]
    kept.end(first)
    assert kept.get(first) is None


def test_conversations_end_unused() -> None:
    """After so many seconds since the last use."""
    now = [0.0]
    kept = Talks(idle_seconds=10, clock=lambda: now[0])
    name, talk = kept.begin()
    for _ in range(3):
        now[0] += 9
        assert kept.get(name) is talk
    now[0] += 11
    assert kept.get(name) is None


def test_only_citations_of_passages_are_links() -> None:
    """Numbers of no passage, and brackets that hold none, stay text; nothing of the text is lost."""
    passage = Passage(number=1, moment=described("a_segment_0", {}), text="")
    text = "[1] one [2] two [0] [x] [1][1]"
    found = list(pieces(text, [passage]))
    assert "".join(each for each, _ in found) == text
    assert [each for each, place in found if place is passage] == ["[1]"] * 3
