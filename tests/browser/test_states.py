"""What the pages show where there is nothing, where something went wrong, and to whom."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Open = Callable[..., Any]
Serving = Callable[..., Any]
PROGRAM = Path(sys.executable).with_name("nestor")
TOKEN = "correct horse battery staple"  # noqa: S105  # it opens nothing
HOSTILE = """<!doctype html><title>as it came</title><script>document.title = "it ran"</script>
<p onclick="document.title = 'it ran'">Hello</p><img src="/media/000000000000000000000000" alt="">"""


@pytest.fixture(scope="module")
def closed(serving: Serving, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve an empty home to those who have a token, and return where."""
    folder = tmp_path_factory.mktemp("closed")
    tokens = folder / "tokens"
    tokens.write_text(TOKEN + "\n")
    with serving(folder / "home", "--token-file", tokens) as url:
        yield url


def _let_in(page: Any) -> None:
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("navigation", name="Pages").wait_for()


def test_a_token_lets_in_and_logging_out_ends_it(visit: Open, closed: str) -> None:
    """A wrong token is told, the right one opens the page that was closed, and leaving closes it again."""
    page = visit(closed + "/library", allowed="401")
    page.get_by_label("Token").fill("no such token at all")
    page.get_by_role("button", name="Log in").click()
    assert page.get_by_role("alert").inner_text() == "That is no token of this server."
    _let_in(page)
    assert page.get_by_role("heading", level=1).inner_text() == "Library"
    page.goto(closed + "/settings")
    page.get_by_role("button", name="Log out").click()
    page.goto(closed + "/library")
    assert page.get_by_label("Token").is_visible()


def test_logging_in_opens_the_page_that_was_closed(visit: Open, closed: str) -> None:
    """A link that was sent leads through the form, a wrong token too, to what it asks; never to another site."""
    page = visit(f"{closed}/?q=snow+%26+ice&dimension=256", allowed="401")
    for token in ("no such token at all", TOKEN):
        page.get_by_label("Token").fill(token)
        page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{closed}/?q=snow+%26+ice&dimension=256")
    page.goto(closed + "/login?next=//example.org/")
    _let_in(page)
    assert page.url == closed + "/"


def test_what_was_logged_out_meanwhile_is_asked_to_log_in(visit: Open, closed: str) -> None:
    """A search, and a question of the chat, lead to the form as a whole page, and from there to what was asked."""
    page = visit(closed, allowed="401")
    _let_in(page)
    page.context.clear_cookies()
    page.get_by_label("What to look for").fill("lapwings")
    page.keyboard.press("Enter")
    page.wait_for_url("**/login?next=*")
    assert page.locator("header").count() == 1
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/?q=lapwings")
    page.goto(closed + "/chat")
    page.context.clear_cookies()
    page.get_by_label("Question").fill("Where do lapwings nest?")
    page.keyboard.press("Enter")
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/chat?q=*")
    assert page.get_by_label("Question").input_value() == "Where do lapwings nest?"


@pytest.fixture(scope="module")
def odd(serving: Serving, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve files with names that are no help, in a collection with a long one, and return where."""
    folder = tmp_path_factory.mktemp("odd")
    files = folder / "files"
    files.mkdir()
    for name in ("\u202egnp.exe.txt", "without-any-space-" * 11 + ".txt", '<b>bold & "quoted" #100% ?x=1.md'):
        (files / name).write_text(f"A note on lapwings, kept in {len(name)} letters.")
    ingest = [str(PROGRAM), "--home", str(folder / "home"), "ingest", str(files), "--collection", "a long name " * 10]
    subprocess.run(ingest, check=True, capture_output=True)
    with serving(folder / "home") as url:
        yield url


@pytest.mark.parametrize("path", ["/", "/?q=lapwings&since=31", "/library", "/chat?dimension=256"])
@pytest.mark.parametrize("width", [390, 1280])
def test_long_names_take_no_more_than_the_window(visit: Open, odd: str, path: str, width: int) -> None:
    """Neither a file's name nor a collection's makes a page wider, and a long one leaves the options in one line."""
    page = visit(odd + path, viewport={"width": width, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if path == "/" and width == 1280:
        boxes = [page.locator(each).bounding_box() for each in (".refine .chips", "#since")]
        assert {box["y"] for box in boxes} == {boxes[0]["y"]}


def test_a_name_cannot_turn_its_letters_round(visit: Open, odd: str) -> None:
    """What overrides the direction of letters is shown as a mark: `gnp.exe.txt` does not read as `txt.exe.png`."""
    page = visit(odd + "/library")
    page.get_by_role("link", name="\ufffdgnp.exe.txt", exact=True).click()
    assert page.get_by_role("heading", level=1).inner_text() == "\ufffdgnp.exe.txt"
    assert "\u202e" not in page.content() + page.title()


def test_past_the_last_page_of_the_library(visit: Open) -> None:
    """Where files are stored, but none so far on, the page says that, and leads back."""
    page = visit("/library?offset=5000")
    assert "Nothing is here yet" not in page.locator("main").inner_text()
    page.get_by_role("link", name="first page").click()
    page.locator("#shelf tbody tr").first.wait_for()


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/", "Nothing is here yet"),
        ("/?q=snow", "Nothing is here yet"),
        ("/library", "Nothing is here yet"),
        ("/compare?q=snow", "Nothing is stored yet"),
    ],
    ids=["home", "search", "library", "compare"],
)
def test_an_empty_library_says_how_to_begin(visit: Open, closed: str, path: str, told: str) -> None:
    """Before anything is stored, every page says so and leads to where files are added; none is an error."""
    page = visit(closed)
    _let_in(page)
    assert page.goto(closed + path).status == 200
    assert told in page.locator("main").inner_text()


def test_nothing_found_leads_back_to_everything(visit: Open) -> None:
    """Filters that nothing passes are named as the reason, and one step takes them away."""
    page = visit("/?q=snow&collection=none+of+that+name")
    assert "Nothing was found" in page.locator("#results").inner_text()
    page.get_by_role("link", name="Search everything").click()
    page.locator(".group").first.wait_for()
    assert "collection" not in page.url


def test_an_address_of_nothing_leads_back(visit: Open) -> None:
    """Where nothing is, the page says so with an id, and leads to the search."""
    page = visit("/asset/000000000000000000000000", allowed="404")
    assert page.get_by_role("heading", level=1).inner_text() == "Nothing here"
    assert len(page.locator("main code").inner_text()) == 16
    page.locator("main").get_by_role("link", name="Search").click()
    page.get_by_role("heading", name="Find the moment").wait_for()


def test_what_is_deleted_is_asked_for_first_and_no_link_is_left(visit: Open, tmp_path: Path) -> None:
    """Delete asks, Keep keeps; what is deleted is a link nowhere in the library, not even where its upload is told."""
    note = tmp_path / "tardigrade.md"
    note.write_text("A tardigrade outlives the vacuum of space.")
    page = visit("/library")
    page.locator("#files").set_input_files(note)
    page.get_by_role("button", name="Add", exact=True).click()
    page.locator("#shelf").get_by_role("link", name="tardigrade.md", exact=True).wait_for()
    for button, left in (("Keep", 1), ("Delete", 0)):
        page.goto(page.url.partition("/asset")[0].removesuffix("/library") + "/library?name=tardigrade")
        page.get_by_role("link", name="Delete tardigrade.md").click()
        assert page.get_by_role("heading", level=1).inner_text() == "Delete tardigrade.md?"
        page.get_by_role("link" if left else "button", name=button).click()
        page.goto(page.url.partition("/asset")[0].removesuffix("/library") + "/library")
        assert page.locator("#shelf").get_by_role("link", name="tardigrade.md", exact=True).count() == left
    page.locator("summary", has_text="Added").first.click()
    assert "deleted since" in page.locator(".job").first.inner_text()
    assert page.get_by_role("link", name="tardigrade.md").count() == 0


def test_what_is_too_large_is_told_before_it_is_sent(visit: Open, tmp_path: Path) -> None:
    """A file above the limit makes its field invalid, in words; a smaller one is taken."""
    page = visit("/")
    field = page.locator("#question-file")
    field.evaluate("field => { field.dataset.most = 1048576; }")
    for size, told in ((1_048_577, "Too large: 1 MB at most."), (1_048_576, "")):
        file = tmp_path / f"{size}.txt"
        file.write_bytes(b"x" * size)
        field.set_input_files(file)
        assert field.evaluate("field => field.validationMessage") == told


def test_what_is_refused_without_a_new_page_is_told_in_words(visit: Open, odd: str) -> None:
    """A strategy that this home cannot search by is a sentence where the results would be, with its command as code."""
    for path in ("/?q=lapwings", "/compare?q=lapwings"):
        page = visit(odd + path, allowed=("400", "htmx:"))
        if path[1] == "?":
            page.locator("#strategy").select_option("hybrid")
        else:
            page.get_by_role("checkbox", name="hybrid").check()
        page.get_by_role("button", name="Search" if path[1] == "?" else "Compare", exact=True).click()
        page.locator("#results [role=alert]").wait_for()
        assert page.locator("#results h1").inner_text() == "That did not work"
        assert page.locator("#results p code").first.inner_text() == "nestor setup"
        assert "{" not in page.locator("#results").inner_text()


def test_a_server_that_is_gone_is_told(visit: Open, tmp_path: Path) -> None:
    """An upload that nobody answers says so and keeps what was chosen; the next answer takes the words away."""
    note = tmp_path / "unsent.md"
    note.write_text("Nobody reads this.")
    page = visit("/library", allowed=("ERR_", "htmx:"))
    page.route("**/library/upload", lambda route: route.abort("connectionrefused"))
    page.locator("#files").set_input_files(note)
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("alert").wait_for()
    assert page.get_by_role("alert").inner_text() == "The server does not answer. Is it still running?"
    assert page.locator("#files").evaluate("field => field.files.length") == 1
    page.unroute("**/library/upload")
    page.get_by_role("button", name="Add", exact=True).click()
    page.locator(".job").get_by_role("link", name="unsent.md").wait_for()
    assert page.get_by_role("alert").count() == 0


def test_a_report_is_listed_and_shown_with_its_styles(visit: Open) -> None:
    """The library leads to the reports, the latest of which opens as it was written."""
    page = visit("/library")
    page.get_by_role("link", name="Comparison reports").click()
    page.get_by_role("link", name="Report of 20").first.click()
    page.get_by_role("heading", name="Sizes and strategies compared").wait_for()
    assert page.locator("table").evaluate("table => getComputedStyle(table).borderCollapse") == "collapse"


def test_a_report_is_dark_where_the_system_is(visit: Open) -> None:
    """Paper and letters, plots too, are as the system has them; each point is named by a number of the table."""
    seen = []
    for scheme in ("light", "dark"):
        page = visit("/compare", color_scheme=scheme)
        page.get_by_role("link", name="Report of 20").first.click()
        page.get_by_role("heading", name="Sizes and strategies compared").wait_for()
        colour = "[...document.querySelectorAll('body, svg text, circle')].map(each => getComputedStyle(each)"
        seen.append((page.evaluate(colour + ".backgroundColor)[0]"), page.evaluate(colour + ".fill)[1]")))
        rows = [each.split("\t")[0] for each in page.locator("tr:has(td)").all_inner_texts()]
        told = ", ".join(page.locator("figure:first-of-type circle ~ text").all_text_contents()).split(", ")
        assert rows == [str(at) for at in range(1, len(rows) + 1)]
        assert set(rows) <= set(told)
    assert seen[0][0] != seen[1][0]
    assert seen[0][1] != seen[1][1]


def test_a_report_runs_nothing_and_loads_nothing(visit: Open, home: Path, address: str) -> None:
    """Whatever lies in the folder of the reports is shown without script, and without reach to the server."""
    (home / "reports" / "hostile.html").write_text(HOSTILE)
    page = visit("/compare", allowed=("sandbox", "Content Security Policy"))
    answered: list[str] = []
    page.on("response", lambda response: answered.append(response.url))
    answer = page.goto(f"{address}/reports/hostile.html")
    (home / "reports" / "hostile.html").unlink()
    page.get_by_text("Hello").click()
    assert page.title() == "as it came"
    assert not [url for url in answered if "/media/" in url]
    assert "sandbox" in answer.headers["content-security-policy"].split("; ")


def _mended(page: Any) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe: it is in the group browser")
    found = axe.Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_seldom_seen_is_accessible(visit: Open, closed: str, home: Path, tmp_path: Path, scheme: str) -> None:
    """By axe there is nothing to mend: the way in, an empty library, errors, a file that was added, and a report."""
    page = visit(closed + "/library", allowed="401", color_scheme=scheme)
    _mended(page)
    _let_in(page)
    for path in ("/", "/library", "/compare?q=snow"):
        page.goto(closed + path)
        _mended(page)
    page = visit("/asset/000000000000000000000000", allowed="404", color_scheme=scheme)
    _mended(page)
    added = tmp_path / f"added in {scheme}.md"
    added.write_text(f"# Lapwings\n\nLapwings nest on meadows, this one in a {scheme} room.\n")
    page = visit("/library", color_scheme=scheme)
    page.locator("input[type=file]").set_input_files(added)
    page.get_by_role("button", name="Add", exact=True).click()
    page.locator(".job").first.locator(".is-stored").wait_for()
    _mended(page)
    # As a file: in the sandbox that it is served in axe does not run either.
    page.goto(next((home / "reports").iterdir()).as_uri())
    _mended(page)
