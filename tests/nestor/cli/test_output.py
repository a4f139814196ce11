"""What is printed of files, whose names and texts are of whoever wrote them."""

import pytest

from nestor.cli.output import excerpt, name_of, say, shorten
from nestor.domain import Hit

BAD = "a\x1b]0;title\x07b\nc\x9bd\te\u202egnp.exe"
GOOD = "a�]0;title�b�c�d�e�gnp.exe"


def test_names_and_texts_are_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    """A terminal obeys nothing of a name or a text, and each stays on its line."""
    hit = Hit("key", 0.5, {"file_name": BAD, "text": BAD})
    assert shorten(BAD, 100) == name_of(hit) == GOOD
    assert excerpt(hit, 100) == "a�]0;title�b c�d e�gnp.exe"
    say("one\x1b[31m\ntwo")
    assert capsys.readouterr().err == "one�[31m\ntwo\n"


@pytest.mark.parametrize("mark", [*"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"], ids=ascii)
def test_no_name_reads_as_another(mark: str) -> None:
    """What changes the direction of letters is shown as a mark."""
    assert shorten(f"a{mark}b", 100) == "a\N{REPLACEMENT CHARACTER}b"
