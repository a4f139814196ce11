"""The pages in a real browser: what a person does on them, with and without script, wide and narrow, light and dark."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Open = Callable[..., Any]
SAMPLES = Path(__file__).parents[2] / "samples"
PAGES = (
    "/",
    "/?q=dogs+in+the+snow",
    "/?q=snow&modality=audio&dimension=256",
    "/library",
    "/compare?q=snow",
    "/settings",
)
VIEWS = {
    "image": "/asset/{dog-sled}?q=dogs",
    "pdf": "/asset/{nbgrader}?segment=1&q=grading",
    "document": "/asset/{semi-structured}?segment=1",
    "text": "/asset/{blurring}?segment=5&q=filter",
    "audio": "/asset/{jfk}?segment=1",
    "video": "/asset/{bottles}?segment=3&q=bottles",
    "delete": "/asset/{bee}/delete",
}
"""Pages of one asset, which stands there by its file's name without the suffix."""
WEIGHT = 150_000
"""Bytes of a page with all but its media, uncompressed."""


def test_a_question_and_its_answer(visit: Open) -> None:
    """Words find the picture they describe; its page opens with the words marked and leads back."""
    page = visit("/")
    page.get_by_label("What to look for").fill("dogs pulling a sled in the snow")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="dog-sled.jpg").click()
    assert page.get_by_role("heading", level=1).inner_text() == "dog-sled.jpg"
    assert "snow" in page.locator("mark").all_inner_texts()
    page.get_by_role("link", name="Back to").click()
    assert page.get_by_label("What to look for").input_value() == "dogs pulling a sled in the snow"


def test_a_filter_changes_the_answer(visit: Open) -> None:
    """A kind that is chosen leaves only files of that kind, and the address keeps the choice."""
    page = visit("/?q=music+and+birds")
    page.get_by_role("checkbox", name="Audio").check()
    page.wait_for_url("**modality=audio**")
    page.wait_for_function("[...document.querySelectorAll('.meta')].every(each => each.innerText.startsWith('Audio'))")
    assert page.locator(".group").count() > 0


def test_the_title_is_that_of_the_answer(visit: Open) -> None:
    """A question, or a comparison, that replaces another without a new page is what the window is called by."""
    expect = pytest.importorskip("playwright.sync_api").expect
    page = visit("/?q=dogs")
    assert page.title() == "dogs – Nestor"  # noqa: RUF001 - as the page has it
    page.get_by_label("What to look for").fill("apes")
    page.keyboard.press("Enter")
    expect(page).to_have_title("apes – Nestor")  # noqa: RUF001
    page.goto(page.url.replace("/?q=apes", "/compare"))
    page.locator("main input[name=q]").fill("apes")
    page.keyboard.press("Enter")
    expect(page).to_have_title("apes at four sizes – Nestor")  # noqa: RUF001
    assert page.locator("title").count() == 1


def test_a_file_asks(visit: Open) -> None:
    """A picture given as the question finds itself first."""
    page = visit("/")
    page.locator("#question-file").set_input_files(SAMPLES / "images/bonobos.jpg")
    page.get_by_role("button", name="Search by file").click()
    assert page.locator(".group h2").first.inner_text() == "bonobos.jpg"


def test_a_dropped_file_asks(visit: Open) -> None:
    """A file dropped on the page is sent as the question."""
    page = visit("/")
    content = list((SAMPLES / "images/bee.jpg").read_bytes())
    page.evaluate(
        """content => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(content)], "bee.jpg", {type: "image/jpeg"}));
            const form = document.querySelector("[data-drop]");
            form.dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true}));
        }""",
        content,
    )
    page.wait_for_url("**file=**")
    assert page.locator(".group h2").first.inner_text() == "bee.jpg"


def test_the_player_starts_at_the_moment(visit: Open, address: str) -> None:
    """A video opened at its second segment stands at the second where that begins, by script and by the address."""
    page = visit("/library?modality=video")
    link = page.get_by_role("link", name="crystal.webm", exact=True).get_attribute("href")
    page.goto(f"{address}{link}?segment=1")
    player = page.locator("#player")
    start = float(player.get_attribute("data-start"))
    assert start > 0
    page.wait_for_function("document.getElementById('player').currentTime > 0")
    assert player.evaluate("player => player.currentTime") == pytest.approx(start, abs=0.3)
    assert player.get_attribute("src").endswith(f"#t={start}")


def test_another_moment_brings_its_words(visit: Open, assets: dict[str, str]) -> None:
    """A segment that is chosen beside the player shows its own seconds and words, as its address does."""
    page = visit(f"/asset/{assets['jfk']}?segment=1")
    assert "can do for you, ask" in page.locator("#moment").inner_text()
    page.locator(".segments a").first.click()
    page.locator("#moment", has_text="Opened at 0:00").wait_for()
    told = page.locator("#moment").inner_text()
    assert "\n\nAnd so my fellow Americans, ask" in told  # the description of the file has them too
    page.goto(page.url)
    assert page.locator("#moment").inner_text() == told


def test_a_picture_that_is_not_there_leaves_its_sign(visit: Open) -> None:
    """Where a thumbnail is gone, what kind of file it was is still to be seen."""
    page = visit("/settings", allowed="404")
    page.route("**/thumbnails/*", lambda route: route.fulfill(status=404))
    page.goto(page.url.replace("/settings", "/?q=dogs+in+the+snow&modality=image"))
    page.locator(".group:first-child .thumb img").wait_for(state="detached")
    assert page.locator(".group:first-child .thumb .icon").is_visible()


def test_an_upload_is_followed_until_it_is_found(visit: Open, tmp_path: Path) -> None:
    """A file added in the library shows how far it is, and can be found, opened and deleted."""
    note = tmp_path / "note.md"
    note.write_text("The zebrafish regrows its fins within two weeks.")
    page = visit("/library")
    page.locator("#files").set_input_files(note)
    page.get_by_role("button", name="Add", exact=True).click()
    page.locator(".job").first.locator(".is-stored").wait_for()
    page.goto(page.url.replace("/library", "/?q=zebrafish+fins"))
    page.get_by_role("link", name="note.md").click()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete").click()
    page.wait_for_url("**/library")
    assert page.locator("table").get_by_role("link", name="note.md", exact=True).count() == 0


def test_a_bad_file_is_told(visit: Open, tmp_path: Path) -> None:
    """A file that cannot be read is listed with the reason, and the page goes on."""
    bad = tmp_path / "broken.pdf"
    bad.write_bytes(b"%PDF-1.7 and nothing more")
    page = visit("/library")
    page.locator("#files").set_input_files(bad)
    page.get_by_role("button", name="Add", exact=True).click()
    failed = page.locator(".job .is-failed").first
    failed.wait_for()
    assert "broken.pdf" in page.locator(".job").first.inner_text()


def test_without_script(visit: Open) -> None:
    """Searching, opening, comparing and choosing dark work as plain forms and links."""
    page = visit("/", java_script_enabled=False)
    page.get_by_label("What to look for").fill("dogs pulling a sled in the snow")
    page.get_by_role("button", name="Search", exact=True).click()
    page.get_by_role("link", name="dog-sled.jpg").click()
    assert page.get_by_role("heading", level=1).inner_text() == "dog-sled.jpg"
    page.get_by_role("link", name="Compare").click()
    page.locator("main input[name=q]").fill("snow")
    page.get_by_role("button", name="Compare").click()
    assert page.locator("text=Agrees with exact 3072").count() == 1


def test_an_error_has_an_id(visit: Open) -> None:
    """An address that was made up is answered by a page that says what is wrong, and its id."""
    page = visit("/?q=snow&dimension=7", allowed="400")
    assert "dimension is 7; it must be one of 256, 384, 1024, 3072." in page.locator("main").inner_text()


@pytest.mark.parametrize("path", [*PAGES, *VIEWS.values()], ids=[*PAGES, *VIEWS])
def test_nothing_is_wider_than_the_window(visit: Open, path: str, assets: dict[str, str]) -> None:
    """On a phone of 390 pixels, and at a zoom of 200 % in a window of 1440, nobody scrolls sideways."""
    page = visit(path.format_map(assets), viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    # What zooming does to a page: half the room in twice the pixels.
    page = visit(path.format_map(assets), viewport={"width": 720, "height": 450}, device_scale_factor=2)
    assert page.evaluate("document.documentElement.scrollWidth") <= 720


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", [*PAGES, *VIEWS.values()], ids=[*PAGES, *VIEWS])
def test_accessible(visit: Open, path: str, scheme: str, assets: dict[str, str]) -> None:
    """By axe there is nothing to mend: names, contrast, landmarks, order."""
    page = visit(path.format_map(assets), color_scheme=scheme)
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe: it is in the group browser")
    found = axe.Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("path", PAGES)
def test_light_and_still(visit: Open, path: str) -> None:
    """A page without its media weighs less than 150 kB, and nothing in it moves while it comes."""
    page = visit("/settings")
    sizes: list[int] = []
    page.on("response", lambda answer: sizes.append(len(answer.body())) if "/media/" not in answer.url else None)
    page.goto(page.url.replace("/settings", path))
    page.wait_for_load_state("networkidle")
    assert 0 < sum(sizes) < WEIGHT
    moved = page.evaluate(
        """() => new Promise(done => {
            let moved = 0;
            new PerformanceObserver(list => { for (const each of list.getEntries()) moved += each.value; })
                .observe({type: "layout-shift", buffered: true});
            setTimeout(() => done(moved), 300);
        })"""
    )
    assert moved < 0.01
