# ruff: noqa: RUF001 - look-alike characters are what is tested

import threading

import pytest

from s3vectors_local import limits
from s3vectors_local.text import analysis
from s3vectors_local.text.analysis import document_terms, query_terms


@pytest.mark.parametrize(
    ("language", "text", "terms"),
    [
        ("en", "The runners were running to the dogs' houses", "runner run dog hous"),
        ("en", "can't stop relational databases", "can't stop relat databas"),
        ("fr", "L’eau n'est pas dans les chevaux continuellement", "eau cheval continuel"),
        ("fr", "jusqu'à l'hôtel", "hôtel"),
        ("fr", "la lettre l", "lettr l"),
        ("es", "Las canciones de los niños más rápidas", "cancion niñ rap"),
        ("pt", "As meninas não correndo com informações", "menin corr inform"),
        ("it", "Le bellissime città dell'arte", "bellissim citt arte"),
        ("de", "Die Häuser über der Straße laufen", "haus strass lauf"),
        ("nl", "De huizen van het lopende water", "huis loop water"),
        (None, "The Runners were running", "the runners were running"),
    ],
)
def test_languages(language: str | None, text: str, terms: str) -> None:
    """Stop words go, elisions go, forms of a word become one term; the standard analyzer keeps words as they are."""
    assert document_terms(text, language=language) == terms.split()
    assert query_terms(text, language=language) == terms.split()


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("ＦＵＬＬ　ｗｉｄｔｈ ﬁne", ["full", "width", "fine"]),
        ("cafe\N{COMBINING ACUTE ACCENT} café", ["café", "café"]),
        ("ℌ ㎐ ①", ["h", "hz", "1"]),
        ("l'猫 猫'猫", ["l", "猫", "猫", "猫"]),
        ("ΣΊΣΥΦΟΣ σίσυφος", ["σίσυφοσ", "σίσυφοσ"]),
        ("soft\N{SOFT HYPHEN}hyphen", ["softhyphen"]),
        ("AB-123/x foo_bar a.b", ["ab", "123", "x", "foo", "bar", "a", "b"]),
        ("v1.2.3 3,141.5 1. end.", ["v1.2.3", "3,141.5", "1", "end"]),
        ("rock'n'roll 'quoted' o’clock", ["rock'n'roll", "quoted", "o'clock"]),
        ("हिन्दी नमस्ते", ["हिन्दी", "नमस्ते"]),
        ("مَرْحَبًا", ["مَرْحَبًا"]),
        ("", []),
        (" \t\n\x00…!?-—'", []),
    ],
)
def test_words(text: str, terms: list[str]) -> None:
    """One form for all ways to write a word, and its borders."""
    assert document_terms(text, language=None) == terms
    assert query_terms(text, language=None) == terms


@pytest.mark.parametrize("language", ["zh", "ja", "ko", "en", None])
@pytest.mark.parametrize(
    ("text", "singles", "pairs"),
    [
        ("北京天", "北 京 天", "北京 京天"),
        ("東京タワー。", "東 京 タ ワ ー", "東京 京タ タワ ワー"),
        ("대한민국", "대 한 민 국", "대한 한민 민국"),
        ("ｶﾞﾗｽ", "ガ ラ ス", "ガラ ラス"),
        ("猫", "猫", ""),
        ("XYZ手机15", "xyz 手 机", "手机 15"),
    ],
)
def test_chinese_japanese_korean(language: str | None, text: str, singles: str, pairs: str) -> None:
    """Runs become pairs; a document has its single characters too; a query has a single one where it stands alone."""
    assert document_terms(text, language=language) == [*singles.split(), *pairs.split()]
    words = [term for term in singles.split() if term == "xyz" or not pairs]
    assert query_terms(text, language=language) == words + pairs.split()


def test_values() -> None:
    """Strings and arrays of strings have terms, other values none."""
    assert document_terms(["two cats", "a dog"], language="en") == ["two", "cat", "dog"]
    assert document_terms(["猫", "犬"], language="ja") == ["猫", "犬"]
    for value in (1, 1.5, True, None, [1, 2]):
        assert document_terms(value, language="en") == []


def test_bounds() -> None:
    """A text counts up to its 65,535th term, a word up to its 255th character."""
    assert document_terms("a b " * 40_000, language=None) == (["a", "b"] * 40_000)[: limits.TEXT_TERMS]
    assert document_terms("x" * 300, language=None) == ["x" * 255]
    assert query_terms("x" * 999, language=None) == ["x" * 255]


def test_repeated_terms_stay() -> None:
    """Terms come as often as they stand in the text, in their order."""
    assert document_terms("cat dog cats", language="en") == ["cat", "dog", "cat"]
    assert query_terms("cat dog cats", language="en") == ["cat", "dog", "cat"]


def test_threads() -> None:
    """Stemming in several threads gives each its own word."""
    words = [f"running{number}ations" for number in range(400)]
    expected = [document_terms(word, language="fr") for word in words]
    analysis._term.cache_clear()
    wrong: list[str] = []

    def work() -> None:
        for word, terms in zip(words, expected, strict=True):
            if document_terms(word, language="fr") != terms:
                wrong.append(word)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
