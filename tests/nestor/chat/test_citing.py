"""What of a model's words may be shown."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nestor.chat.citing import Citing, plain

SOURCES = "See https://example.org/manual for more, and mailto:keeper@example.org."


def shown(*pieces: str, passages: int = 3) -> tuple[str, Citing]:
    """Return what is shown of these pieces, and who showed it."""
    citing = Citing(passages, sources=SOURCES)
    return "".join([*map(citing.feed, pieces), citing.end()]), citing


@pytest.mark.parametrize(
    ("said", "expected", "numbers", "removed"),
    [
        ("Built in 1732 [1].", "Built in 1732 [1].", [1], 0),
        ("So [2, 1] and [2].", "So [2][1] and [2].", [2, 1], 0),
        ("So [1][3].", "So [1][3].", [1, 3], 0),
        ("Never [9].", "Never.", [], 1),
        ("Never [0] [4; 2].", "Never [2].", [2], 2),
        ("As 【3†source】 says", "As [3] says", [3], 0),
        ("A list[x] and a [note].", "A list[x] and a [note].", [], 0),
    ],
    ids=["one", "several", "beside one another", "none", "some", "other brackets", "words in brackets"],
)
def test_citations(said: str, expected: str, numbers: list[int], removed: int) -> None:
    """Those of passages are kept in one form; those of nothing are taken out and counted."""
    text, citing = shown(said)
    assert (text, citing.numbers, citing.removed_citations) == (expected, numbers, removed)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("![secret](https://evil.example/?q=plans)", "secret"),
        ("[click here](https://evil.example/a(b)c) now", "click here now"),
        ("[1](https://evil.example)", "[1]"),
        ("[text][ref]\n\n[ref]: https://evil.example/x", "text\n\n[ref]: (address removed)"),
        ("[![pixel](https://evil.example/p)](https://evil.example/l)", "pixel"),
        ('An <img src="https://evil.example/p"> here', "An  here"),
        ("An <im<b x=1>g src=//evil.example/p> here", "An  here"),
        ("<https://evil.example/x>", ""),
        ("Go to https://evil.example/x?q=plans, now.", "Go to (address removed), now."),
        ("Go to https://example.org/manual, now.", "Go to https://example.org/manual, now."),
        ("Go to https://example.org/manual?q=plans now.", "Go to (address removed) now."),
        ("Go to https://example.org/man now.", "Go to (address removed) now."),
        ("[a\nb](https://example.org/manual)", "a\nb"),
        ("[ref]: https://example.org/manual", "[ref]: (address removed)"),
        ("![pixel]|https://example.org/manual", "![pixel]|(address removed)"),
        ("javascript:alert(1) and data:text/html;base64,AA", "(address removed)) and (address removed)"),
        ("www[9].evil.example/x", "www .evil.example/x"),
        ("w[](x y)ww.evil.example/x", "(address removed)"),
        ('<img src="/x" a="<">', '< img src="/x" a="<">'),
        ("![a]([1] )", "a"),
        ("1 < 2, a -> b, List<int> and [x] // why", "1 < 2, a -> b, List<int> and [x] // why"),
    ],
)
def test_links(said: str, expected: str) -> None:
    """Markup loses its target; an address stays only where a passage holds the whole of it, and outside of markup."""
    assert shown(said)[0] == expected


@given(
    st.lists(
        st.sampled_from(
            [
                "[1]",
                "[9]",
                " ",
                "\n",
                "word",
                "![a](",
                "[](",
                "www",
                "www.evil.example",
                "https://evil.example/x",
                ")",
                "<img src=",
                ">",
                "[",
                "]",
                "(",
            ]
        ),
        max_size=12,
    ),
    st.integers(1, 9),
)
def test_no_foreign_address_survives_however_it_is_cut(parts: list[str], size: int) -> None:
    """In pieces of any size, no address that no passage holds is shown, and every number shown is a passage's."""
    said = "".join(parts)
    text, citing = shown(*(said[start : start + size] for start in range(0, len(said), size)))
    assert "evil" not in text
    assert "](" not in text
    assert "<img" not in text
    assert "www." not in text
    assert {int(number) for number in re.findall(r"\[(\d+)\]", text)} <= {1}
    assert set(citing.numbers) <= {1}


def test_words_come_as_they_are_certain() -> None:
    """A word that has ended is shown at once; one that may become a link waits."""
    citing = Citing(3)
    assert citing.feed("Built in 17") == "Built in"
    assert citing.feed("32 [") == " 1732"
    assert citing.feed("1] by") == " [1]"
    assert citing.end() == " by"


def test_scripts_without_spaces_come_at_once() -> None:
    """Nothing waits for a space that never comes."""
    citing = Citing(3)
    assert citing.feed("橋は千七百三十二年に") == "橋は千七百三十二年に"
    assert citing.feed("建てられた[1]。") == "建てられた[1]。"


def test_what_never_closes_is_not_held_for_ever() -> None:
    """After 2,000 characters it is shown as it is."""
    citing = Citing(3)
    assert citing.feed("[" + "a" * 2_100).startswith("[aaa")


def test_terminals_and_eyes_are_not_deceived() -> None:
    """Escape sequences, overrides of direction, invisible letters and lone surrogates go; accents and emoji stay."""
    hostile = "a\x1b]0;title\x07b\x9b2Jc\u202ed\u200be\U000e0041f\ud800g\rh"
    assert plain(hostile) == "a]0;titleb2Jcdefgh"
    assert plain("naïve\tcafé\n👩\u200d🚀 日本") == "naïve\tcafé\n👩\u200d🚀 日本"
