"""The chat in a real browser: by quotations over the samples, and by a model over real HTTP."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.standins.completions import Completions, completing

Open = Callable[..., Any]
APES = "Which apes are hugging each other?"
MIRROR = "Who inspects the large gold mirror of a space telescope?"
APART = 0.02
"""Seconds between the pieces of an answer without an end: its limit of characters is a minute away."""
BRIDGE = "When was the stone bridge of Harrow built?"
TEXT = "The old stone bridge of Harrow was built in 1732. <b>Masons</b> carried <script>alert(1)</script> granite."
SHIFTS = """() => new Promise(done => {
    let moved = 0;
    const add = each => { if (!each.hadRecentInput) moved += each.value; };
    new PerformanceObserver(list => list.getEntries().forEach(add))
        .observe({type: "layout-shift", buffered: true});
    setTimeout(() => done(moved), 300);
})"""


class Endless(list[bytes]):
    """The first part of an answer, again and again."""

    def __iter__(self) -> Iterator[bytes]:
        """Yield it until the client leaves."""
        while True:
            yield self[0]
            time.sleep(APART)


class Held(list[bytes]):
    """The parts of an answer, the later ones when `going` is set."""

    def __init__(self, first: list[bytes], later: list[bytes]) -> None:
        """Send `first` at once."""
        super().__init__(first + later)
        self.going = threading.Event()
        self._first, self._later = first, later

    def __iter__(self) -> Iterator[bytes]:
        """Yield the first parts, wait, and yield the others."""
        yield from self._first
        self.going.wait(30)
        yield from self._later


@pytest.fixture(scope="module")
def service() -> Iterator[Completions]:
    """Return the stand-in of a model."""
    with completing() as service:
        yield service


@pytest.fixture(scope="module")
def modelled(tmp_path_factory: pytest.TempPathFactory, service: Completions) -> Iterator[str]:
    """Serve a home with one text, in which the stand-in answers, and return where."""
    folder = tmp_path_factory.mktemp("modelled")
    (folder / "bridge.txt").write_text(TEXT)
    nestor = [str(Path(sys.executable).with_name("nestor")), "--home", str(folder / "home")]
    subprocess.run([*nestor, "ingest", str(folder / "bridge.txt"), "--json"], check=True, capture_output=True)
    environment = {**os.environ, "NESTOR_CHAT_MODEL": "llava", "NESTOR_CHAT_URL": service.url}
    served = subprocess.Popen(
        [*nestor, "serve", "--port", "0", "--json", "--quiet"], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert served.stdout is not None
    yield json.loads(served.stdout.readline())["url"]
    served.terminate()
    served.communicate(timeout=30)


@pytest.fixture
def talk(visit: Open, modelled: str) -> Callable[..., Any]:
    """Return a function that opens the chat of that home."""

    def go(**options: Any) -> Any:
        page = visit("/settings", **options)
        page.goto(modelled + "/chat")
        return page

    return go


def _ask(page: Any, question: str) -> None:
    page.get_by_label("Question").fill(question)
    page.keyboard.press("Enter")


def test_an_example_is_answered_by_quotations(visit: Open) -> None:
    """It is quoted, said to be quoted, cited; the citation opens the picture, and on the way back all is there."""
    page = visit("/chat")
    assert page.get_by_text("Quoted from your files, no model is configured").is_visible()
    assert page.locator(".examples button").all_inner_texts() == [APES, MIRROR]
    page.get_by_role("button", name=APES).click()
    page.locator(".by .tag").wait_for()
    assert "Three bonobo chimpanzees hugging each other." in page.locator(".answer").inner_text()
    source = page.locator(".end > .sources li").first
    assert "bonobos.jpg" in source.inner_text()
    assert source.locator("img").evaluate("picture => picture.complete && picture.naturalWidth > 0")
    page.locator(".answer .cite").first.click()
    assert page.get_by_role("heading", level=1).inner_text() == "bonobos.jpg"
    page.go_back()
    assert page.locator(".asked").all_inner_texts() == [APES]
    assert "Three bonobo chimpanzees" in page.locator(".answer").inner_text()


def test_a_citation_opens_the_video_at_its_second(visit: Open) -> None:
    """The player stands where the cited segment begins."""
    page = visit("/chat")
    page.locator(".choices summary").click()
    page.get_by_role("checkbox", name="Video").check()
    _ask(page, MIRROR)
    cite = page.locator(".answer .cite").first
    cite.wait_for()
    segment = int(str(cite.get_attribute("href")).rpartition("=")[2])
    cite.click()
    player = page.locator("#player")
    player.wait_for()
    assert page.get_by_role("heading", level=1).inner_text() == "nasa.mp4"
    assert f"segment={segment}" in page.url
    assert player.get_attribute("src").endswith(f"#t={player.get_attribute('data-start')}")


def test_nothing_relevant_is_told(visit: Open) -> None:
    """In words, with how near the best was, and a way to search instead."""
    page = visit("/chat")
    _ask(page, "vaccination of penguins against municipal taxation")
    page.get_by_text("Nothing relevant was found").wait_for()
    page.get_by_role("link", name="Search for it instead").click()
    assert page.locator("#q").input_value() == "vaccination of penguins against municipal taxation"


def test_without_script(visit: Open) -> None:
    """A form: the page comes back with the answer, the options stay chosen, the next question goes on from there."""
    page = visit("/chat", java_script_enabled=False)
    page.locator(".choices summary").click()
    page.locator("input[name=dimension][value='1024']").check(force=True)
    page.get_by_label("Question").fill(APES)
    page.get_by_role("button", name="Ask", exact=True).click()
    assert "Three bonobo chimpanzees" in page.locator(".answer").inner_text()
    assert page.locator("input[name=dimension][value='1024']").is_checked()
    assert "1024 components" in page.locator(".by").inner_text()
    page.get_by_label("Question").fill("What do they share?")
    page.get_by_role("button", name="Ask", exact=True).click()
    assert page.locator(".asked").count() == 2
    page.get_by_role("button", name="New conversation").click()
    assert page.locator(".asked").count() == 0


def test_two_windows_have_two_conversations(visit: Open) -> None:
    """What one person asked, another does not see."""
    first = visit("/chat")
    _ask(first, APES)
    first.locator(".by .tag").wait_for()
    first.reload()
    assert first.locator(".asked").count() == 1
    assert visit("/chat").locator(".asked").count() == 0


def test_a_model_answers_piece_by_piece(talk: Open, service: Completions) -> None:
    """Words are there before the answer ends, and what comes is what a new page shows; nothing moves meanwhile."""
    service.says("Built in 1732 [1] ", "by <b>masons</b> ", "& <img src=x onerror=alert(1)> others [1].")
    parts = list(service.body)
    service.body = held = Held(parts[:2], parts[2:])
    page = talk()
    _ask(page, BRIDGE)
    page.locator(".answer .cite").first.wait_for()
    assert page.locator(".answer").get_attribute("aria-busy") == "true"
    assert page.get_by_role("button", name="Stop").is_visible()
    held.going.set()
    page.get_by_text("Answered by llava", exact=True).wait_for()
    assert page.locator(".answer").get_attribute("aria-busy") == "false"
    assert page.get_by_role("button", name="Ask", exact=True).is_visible()
    assert page.locator(".end > .sources li").count() == 1
    assert "<script>alert(1)</script>" in page.locator(".source .snippet").inner_text()
    assert page.locator(".talk b, .talk .answer img, .turn script").count() == 0
    assert page.evaluate(SHIFTS) < 0.01
    told = page.locator(".answer").inner_text(), page.locator(".end").inner_text()
    page.reload()
    assert (page.locator(".answer").inner_text(), page.locator(".end").inner_text()) == told


def test_an_answer_is_stopped(talk: Open, service: Completions) -> None:
    """The button ends it at the model, too; what came stays, also in a new page, and one can ask again."""
    service.gone.clear()
    service.says("and on and on ")
    service.body = Endless(service.body)
    page = talk()
    _ask(page, BRIDGE)
    page.get_by_text("and on and on").wait_for()
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("Stopped before its end").wait_for()
    assert service.gone.wait(15)
    assert page.get_by_label("Question").evaluate("field => field === document.activeElement")
    page.reload()
    assert "and on" in page.locator(".answer").inner_text()
    assert page.get_by_text("Stopped before its end").is_visible()
    service.says("In 1732 [1].")
    _ask(page, BRIDGE)
    page.get_by_text("Answered by llava", exact=True).wait_for()


def test_a_model_that_fails_is_told(talk: Open, service: Completions) -> None:
    """At the answer, as an alert; a new page tells it, too."""
    service.says("Built ")
    service.status, service.body = 401, [b"no"]
    page = talk()
    _ask(page, BRIDGE)
    page.get_by_role("alert").wait_for()
    assert "The chat model failed" in page.get_by_role("alert").inner_text()
    assert page.locator(".answer").inner_text() == ""
    assert page.get_by_label("Question").input_value() == BRIDGE
    page.reload()
    assert page.get_by_role("alert").is_visible()
    service.status = 200


def test_the_keyboard(visit: Open) -> None:
    """Shift+Enter begins a line, Enter asks, the field keeps the focus, and tabbing reaches what was cited."""
    page = visit("/chat")
    field = page.get_by_label("Question")
    assert field.evaluate("field => field === document.activeElement")
    page.keyboard.type("Which apes are")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("hugging each other?")
    assert field.input_value() == "Which apes are\nhugging each other?"
    page.keyboard.press("Enter")
    page.locator(".by .tag").wait_for()
    assert field.input_value() == ""
    assert field.evaluate("field => field === document.activeElement")
    page.keyboard.press("Enter")  # nothing was typed: nothing is asked
    assert page.locator(".asked").count() == 1
    for _ in range(12):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("document.activeElement.classList.contains('cite')"):
            break
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="bonobos.jpg").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_accessible(visit: Open, scheme: str, width: int) -> None:
    """By axe there is nothing to mend before and after an answer, and nothing is wider than the window."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe: it is in the group browser")
    page = visit("/chat", color_scheme=scheme, viewport={"width": width, "height": 844})
    before = axe.Axe().run(page)
    assert before.violations_count == 0, before.generate_report()
    _ask(page, APES)
    page.locator(".by .tag").wait_for()
    _ask(page, "How are lists in Python indexed?")
    page.locator(".by .tag").nth(1).wait_for()
    page.locator(".choices summary").click()
    after = axe.Axe().run(page)
    assert after.violations_count == 0, after.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_light_and_still(visit: Open) -> None:
    """The page weighs less than 150 kB without its media, and nothing in it moves by itself while an answer comes."""
    page = visit("/settings")
    sizes: list[int] = []
    page.on("response", lambda answer: sizes.append(len(answer.body())) if "/media/" not in answer.url else None)
    page.goto(page.url.replace("/settings", "/chat"))
    page.wait_for_load_state("networkidle")
    assert 0 < sum(sizes) < 150_000
    page.get_by_role("button", name=MIRROR).click()
    page.locator(".by .tag").wait_for()
    assert page.evaluate(SHIFTS) < 0.01
