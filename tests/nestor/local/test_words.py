"""Text to terms, and terms to the two hashed blocks."""

import numpy as np
import pytest

from nestor.adapters.local.lexical import COARSE, FINE, Lexicon, term_key
from nestor.adapters.local.tables import shipped
from nestor.adapters.local.words import terms


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    """Return the lexicon over the shipped tables."""
    return Lexicon(shipped())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The cats were running", ["cat", "run"]),
        ("Crème BRÛLÉE", ["creme", "brule"]),
        ("\uff26\uff35\uff2c\uff2c width \ufb01ne", ["full", "width", "fine"]),
        ("IL-6, p53 and 1,000 mg", ["il", "6", "p53", "1", "000", "mg"]),
        ("snake_case_name", ["snake", "case", "name"]),
        ("東京都 x", ["東京", "京都", "x"]),
        ("水", ["水"]),
        ("Straße STRASSE", ["strass", "strass"]),
        ("Приве\u0301т мир", ["привет", "мир"]),
        ("🎉 … \x00", []),
    ],
    ids=["stems", "accents", "widths", "numbers", "underscores", "pairs", "single", "casefold", "cyrillic", "none"],
)
def test_terms(text: str, expected: list[str]) -> None:
    """Case, width and accents are folded; stopwords go; what is no English word stays as it is."""
    assert terms(text) == expected


def test_blocks_have_unit_length(lexicon: Lexicon) -> None:
    """Both of them, also where a text has no terms at all."""
    for text in ("some ordinary words", "", "of the"):
        coarse, fine = lexicon.document(text)
        assert (coarse.shape, fine.shape) == ((COARSE,), (FINE,))
        assert [np.linalg.norm(coarse), np.linalg.norm(fine)] == pytest.approx([1, 1], abs=1e-6)


def test_a_question_of_stopwords_asks_for_no_words(lexicon: Lexicon) -> None:
    """Its meaning alone is left to search with."""
    assert not any(block.any() for block in lexicon.question("who is it?"))


def test_where_two_terms_collide_the_heavier_stands(lexicon: Lexicon) -> None:
    """A rare word is not drowned by a common one on the same component."""
    common = "time"
    place = lexicon._feature(common).fine
    rare = next(term for term in (f"zq{n}" for n in range(50_000)) if lexicon._feature(term).fine == place)
    (_, alone), (_, both) = lexicon.document(f"{rare} filler"), lexicon.document(f"{rare} {common} filler")
    assert np.sign(alone[place]) == np.sign(both[place])
    assert np.count_nonzero(both) == np.count_nonzero(alone)


def test_rare_words_weigh_more(lexicon: Lexicon) -> None:
    """As counted in text that is no evaluation set; unknown words weigh most."""
    weights = [lexicon._feature(term).idf for term in ("use", "river", "photosynthesi", "qx88431")]
    assert weights == sorted(weights)
    assert weights[-1] == shipped().unknown


def test_the_hash_never_changes() -> None:
    """Stored embeddings depend on it."""
    assert term_key("nestor") == 1784299516


def test_the_rotation_is_orthogonal_and_falling() -> None:
    """The 384 components keep every angle of MiniLM."""
    rotation = shipped().rotation
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(384), atol=2e-6)


def test_the_tables_name_their_sources() -> None:
    """With licences, in the file itself."""
    assert "licence" in shipped().source
