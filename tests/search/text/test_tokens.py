import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.text.tokens import MAX_TOKEN_CHARACTERS, fold, tokens


@pytest.mark.parametrize(
    ("written", "typed"),
    [
        ("Reykjavík", "reykjavik"),
        ("O\u2019Hare", "ohare"),
        ("Nu\u02bbuanu", "nuuanu"),
        ("Straße", "STRASSE"),
        ("Łódź", "lodz"),
        ("Tromsø", "tromso"),
        ("Ærøskøbing", "aeroskobing"),
        ("Đà Nẵng", "da nang"),
        ("Þingvellir", "thingvellir"),
        ("İstanbul", "istanbul"),
        ("Iğdır", "igdir"),
        ("Ἀθῆναι", "ΑΘΗΝΑΙ"),
        ("Θεσσαλονίκης", "θεσσαλονικησ"),
        ("Королёв", "королев"),
        ("שָׁלוֹם", "שלום"),
        ("مُحَمَّد", "محمد"),
        ("ＴＯＫＹＯ", "tokyo"),
        ("co\u00adoperate", "cooperate"),
    ],
)
def test_spellings_of_one_name_meet(written: str, typed: str) -> None:
    assert tokens(written) == tokens(typed) != []


@pytest.mark.parametrize(("one", "other"), [("ガス", "カス"), ("हिन्दी", "हनद"), ("Köln", "Kiel"), ("42", "24")])
def test_marks_that_spell_are_kept(one: str, other: str) -> None:
    assert tokens(one) != tokens(other)


def test_punctuation_parts_words() -> None:
    assert tokens("Saint-Denis, snake_case; 3.5 km/h…") == ["saint", "denis", "snake", "case", "3", "5", "km", "h"]


def test_a_word_with_vowel_signs_stays_whole() -> None:
    assert tokens("नई दिल्ली") == [fold("नई"), fold("दिल्ली")]


def test_part_of_a_text_without_spaces_is_found() -> None:
    assert set(tokens("東京")) < set(tokens("東京タワーのホテル"))
    assert set(tokens("กรุงเทพ")) < set(tokens("โรงแรมในกรุงเทพ"))


def test_scripts_mix_in_one_word() -> None:
    assert tokens("Tokyo東京2020") == ["tokyo", "東京", "2020"]


def test_long_tokens_are_cut() -> None:
    assert tokens("x" * 5000) == ["x" * MAX_TOKEN_CHARACTERS]


@settings(deadline=None)
@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@settings(deadline=None)
@given(st.text())
def test_tokens_have_no_space_and_can_be_stored(text: str) -> None:
    for token in tokens(text):
        assert token.split() == [token]
        assert "_" not in token
        assert token.encode()


@settings(deadline=None)
@given(st.text(st.characters(categories=["Lu", "Ll"])))
def test_case_never_matters(text: str) -> None:
    assert tokens(fold(text).upper()) == tokens(fold(text).upper().lower())


@settings(deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1, max_size=20), min_size=1))
def test_long_text_has_the_tokens_of_its_words(words: list[str]) -> None:
    text = " ".join(words) + "\n"

    assert tokens(text * 100) == tokens(text) * 100


@settings(deadline=None)
@given(st.text(st.characters(codec="ascii")))
def test_ascii_has_the_tokens_that_it_has_beside_others(text: str) -> None:
    assert [*tokens(text), "lodz"] == tokens(f"{text} Łódź")


def test_endless_marks_are_folded_at_once() -> None:
    """Half a million marks after a letter kept the whole process waiting for minutes."""
    started = time.process_time()

    tokens("a" + "\u093c\u094d" * 250_000)

    assert time.process_time() - started < 5
