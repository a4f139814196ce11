"""What the pages show where there is nothing, where something went wrong, and to whom."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Open = Callable[..., Any]
Serving = Callable[..., Any]
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
    page.get_by_role("heading", name="Find the moment").wait_for()


def test_a_token_lets_in_and_logging_out_ends_it(visit: Open, closed: str) -> None:
    """A wrong token is told, the right one opens the page that was closed, and leaving closes it again."""
    page = visit(closed + "/library", allowed="401")
    page.get_by_label("Token").fill("no such token at all")
    page.get_by_role("button", name="Log in").click()
    assert page.get_by_role("alert").inner_text() == "That is no token of this server."
    _let_in(page)
    page.goto(closed + "/settings")
    page.get_by_role("button", name="Log out").click()
    page.goto(closed + "/library")
    assert page.get_by_label("Token").is_visible()


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
