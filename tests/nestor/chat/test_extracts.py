"""An answer without a model."""

from nestor.chat.events import Passage
from nestor.chat.extracts import QUOTATIONS, QUOTED_CHARACTERS, extracts
from nestor.moments import described


def passage(number: int, text: str) -> Passage:
    """Return a passage of that text."""
    moment = described(f"k{number}", {"file_name": f"f{number}.pdf", "page": number})
    return Passage(number=number, moment=moment, text=text)


def quoted(question: str, *texts: str) -> list[str]:
    """Return the quotations."""
    passages = [passage(number, text) for number, text in enumerate(texts, start=1)]
    return list(extracts(question, passages))[1:]


def test_rare_words_count_more() -> None:
    """A sentence with the question's rare word goes before those with a common one; endings do not matter."""
    (first, *_) = quoted(
        "bridges of granite", "A bridge is long. A bridge is granite. A bridge is old. A bridge is low."
    )
    assert first == "“A bridge is granite.” [1]\n"


def test_the_best_passage_always_speaks() -> None:
    """Also where it shares no word; the others only where they do; a passage without text is named."""
    assert quoted("bridges", "Nothing of it. More.", "A bridge.", "Other.") == [
        "“Nothing of it.” [1]\n",
        "“A bridge.” [2]\n",
    ]
    assert quoted("bridges", "") == ["f1.pdf, p. 1 [1]\n"]


def test_bounds() -> None:
    """Four quotations, 400 characters each, on one line."""
    many = quoted("bridge", *["bridge\nof stone " * 200] * 9)
    assert len(many) == QUOTATIONS
    assert all(len(each) <= QUOTED_CHARACTERS + 10 for each in many)
    assert all(each.count("\n") == 1 for each in many)


def test_what_a_text_cites_is_not_taken_for_ours() -> None:
    """Its numbers in brackets are left out, and its links are words."""
    assert quoted("bridge", "A bridge [2] [see](https://evil.example/x).") == ["“A bridge see.” [1]\n"]


def test_marks_of_headings_and_lists_are_not_quoted() -> None:
    """What stands behind them is; a hyphen or a number sign inside a sentence stays."""
    (found,) = quoted("bridge", "## The bridge - of stone #2")
    assert found == "“The bridge - of stone #2” [1]\n"
    assert quoted("granite", "- a bridge\n- granite blocks") == ["“granite blocks” [1]\n"]
