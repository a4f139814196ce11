"""Pages that are made without script, asked in process."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from nestor.outcome import Labels
from nestor.web.app import create
from nestor.web.context import Options
from nestor.wiring import Nestor

TURNED = "\u202eabc"


@pytest.fixture
def browser(nestor: Nestor) -> Iterator[TestClient]:
    """Return a client that asks for pages."""
    accepted = {"accept": "text/html"}
    with TestClient(create(nestor, options=Options()), base_url="http://localhost", headers=accepted) as client:
        yield client


@pytest.mark.parametrize("path", ["/asset/zzz", "/asset/zzz/delete", f"/asset/{'0' * 24}"])
def test_an_address_of_no_asset_says_so(browser: TestClient, path: str) -> None:
    """404 in words, whatever stands in the place of the id."""
    answer = browser.get(path)
    assert answer.status_code == 404
    assert "Nothing is stored under" in answer.text
    assert "pattern" not in answer.text


@pytest.mark.parametrize("page", ["/", "/chat", "/library"])
def test_a_collection_is_chosen_by_its_own_name(browser: TestClient, nestor: Nestor, tmp_path: Path, page: str) -> None:
    """What is shown has a mark in the place of an override; what is sent is the name."""
    (tmp_path / "a.txt").write_text("One swallow.")
    assert all(outcome.manifest for outcome in nestor.ingest.run([tmp_path / "a.txt"], labels=Labels(TURNED)))
    text = browser.get(page).text
    assert f'<option value="{TURNED}">\N{REPLACEMENT CHARACTER}abc</option>' in text
