"""The pages by keyboard alone, on a phone, and enlarged."""

from collections.abc import Callable
from typing import Any

import pytest

Open = Callable[..., Any]
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
WIDE = {"viewport": {"width": 1440, "height": 900}}
STOPS = 60
"""Stops of the Tab key within which everything on these pages must be reached."""


def _tab_to(page: Any, selector: str) -> None:
    """Press Tab until that has the focus."""
    for _ in range(STOPS):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    pytest.fail(f"{selector} was not reached in {STOPS} stops")


def test_from_the_question_to_the_player_by_keyboard(visit: Open) -> None:
    """Typing, Enter and Tab are enough to ask, to open a video at its moment, and to choose another one."""
    page = visit("/")
    page.keyboard.type("plastic bottles on a table")  # the field has the focus
    page.keyboard.press("Enter")
    page.locator(".group").first.wait_for()
    _tab_to(page, ".group h2 a[href*='/asset/']")
    assert page.evaluate("document.activeElement.innerText") == "bottles.mp4"
    page.keyboard.press("Enter")
    page.locator("#player").wait_for()
    _tab_to(page, "#player")
    _tab_to(page, ".timeline a:nth-of-type(4)")
    wanted = float(page.evaluate("document.activeElement.dataset.start"))
    page.keyboard.press("Enter")
    player = page.locator("#player")
    assert wanted > 0
    for _ in range(100):
        if player.evaluate("player => player.currentTime") >= wanted:
            break
        page.wait_for_timeout(50)
    assert player.evaluate("player => player.currentTime") == pytest.approx(wanted, abs=2)


def test_the_first_stop_skips_to_the_content(visit: Open) -> None:
    """The first press of Tab shows a link that leads past the navigation."""
    page = visit("/library")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_a_filter_is_chosen_by_keyboard(visit: Open) -> None:
    """A chip that has the focus shows it, and Space chooses it."""
    page = visit("/?q=music", **WIDE)
    _tab_to(page, "input[name=modality][value=audio]")
    outline = "getComputedStyle(document.activeElement.nextElementSibling).outlineStyle"
    assert page.evaluate(outline) == "solid"
    page.keyboard.press("Space")
    page.wait_for_url("**modality=audio**")


def test_showing_more_keeps_the_place_of_the_keyboard(visit: Open) -> None:
    """After `Show more` the focus is on the first file that was not shown before, not at the top of the page."""
    page = visit("/?q=music", **WIDE)
    before = page.locator(".group").count()
    page.get_by_role("link", name="Show more").press("Enter")
    page.locator(f".group:nth-child({before + 1})").wait_for()
    at = "[...document.querySelectorAll('.group')].indexOf(document.activeElement.closest('.group'))"
    assert page.evaluate(at) == before


def test_what_is_chosen_is_seen_in_forced_colours(visit: Open) -> None:
    """Where the system forces its colours, a chip that is chosen differs from the others by more than its weight."""
    page = visit("/?q=music&modality=audio", forced_colors="active", **WIDE)
    colours = "each => getComputedStyle(each.nextElementSibling).backgroundColor"
    chosen, other = (page.locator(f".refine input[value={each}]").evaluate(colours) for each in ("audio", "video"))
    assert chosen != other


def test_options_are_folded_on_a_phone(visit: Open) -> None:
    """On a phone the options stay closed until they are wanted, or one of them is set; without script too."""
    for script in (True, False):
        page = visit("/?q=snow", java_script_enabled=script, **PHONE)
        assert not page.get_by_text("Video", exact=True).first.is_visible()
        assert page.locator(".group").first.bounding_box()["y"] < 500
        page.locator("summary", has_text="Options").click()
        assert page.get_by_text("Video", exact=True).first.is_visible()
    page = visit("/?q=snow&dimension=256", **PHONE)
    assert page.get_by_text("256", exact=True).first.is_visible()


def test_options_are_open_on_a_wide_screen(visit: Open) -> None:
    """There is room for them: they are there without a step, in one line, and there is nothing to unfold."""
    for script in (True, False):
        page = visit("/?q=snow", java_script_enabled=script, **WIDE)
        assert not page.locator("summary", has_text="Options").is_visible()
        boxes = [page.locator(each).bounding_box() for each in (".refine .chips", ".refine .segmented", "#since")]
        assert {round(box["y"] + box["height"]) for box in boxes} == {round(boxes[0]["y"] + boxes[0]["height"])}
        assert {box["height"] for box in boxes} == {44}


def test_a_passage_is_opened_where_it_was_found(visit: Open) -> None:
    """A text opens with the passage in view, however far down it is, and marks the words."""
    page = visit("/?q=Gaussian+blur+kernel&modality=text", **WIDE)
    page.locator(".group h2 a", has_text="blurring.md").click()
    passage = page.locator("#here")
    passage.wait_for()
    top = passage.bounding_box()["y"]
    assert 0 <= top < 900
    assert passage.locator("mark").count() > 0
