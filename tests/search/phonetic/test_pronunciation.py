"""Letters to sounds: what is said alike has one pronunciation, however it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.phonetic.phones import PHONES, costs
from search.phonetic.pronunciation import pronounce


def phones(text: str) -> str:
    return "".join(pronounce(text))


class TestPronounce:
    @pytest.mark.parametrize(
        ("written", "otherwise"),
        [
            ("Knight", "Night"),
            ("Phoenix", "foenix"),
            ("Łódź", "lodz"),
            ("Chrysler", "Krisler"),
            ("Quaker", "Kwaker"),
            ("7", "seven"),
            ("42", "forty two"),
            ("450", "four hundred fifty"),
            ("1984", "nineteen eighty four"),
            ("1905", "nineteen oh five"),
            ("2000", "two thousand"),
            ("007", "zero zero seven"),
            ("St. Louis", "Saint Louis"),
            ("Main St.", "Main Street"),
            ("Marks & Spencer", "Marks and Spencer"),
            ("BMW", "bee em dublyu"),
            ("B.M.W.", "BMW"),
            ("XM4", "ex em four"),
            ("Москва", "Moskva"),
            ("Αθήνα", "Athina"),
        ],
    )
    def test_what_is_said_alike(self, written: str, otherwise: str) -> None:
        assert phones(written) == phones(otherwise) != ""

    def test_words_stay_apart(self) -> None:
        assert pronounce("Reykjavík 7") == ["rikJavik", "seven"]

    @pytest.mark.parametrize("text", ["", "?!", "東京", "😀"])
    def test_what_has_no_rules_is_left_out(self, text: str) -> None:
        assert pronounce(text) == []

    @given(text=st.text())
    def test_any_text_has_known_phones(self, text: str) -> None:
        assert set(phones(text)) <= set(PHONES)

    def test_known_tokens_make_no_difference(self) -> None:
        assert pronounce("Ben & Jerry", ["ben", "jerry"]) == pronounce("Ben & Jerry")
        assert pronounce("Ben Jerry", ["ben", "jerry"]) == pronounce("Ben Jerry")


class TestCosts:
    def test_similar_sounds_are_near(self) -> None:
        replace = costs().replace

        def cost(p: str, q: str) -> float:
            return float(replace[PHONES.index(p), PHONES.index(q)])

        assert cost("t", "t") == 0
        assert cost("t", "d") < cost("t", "k") + 0.1 < cost("t", "m")
        assert cost("s", "S") < cost("s", "k")
        assert cost("e", "i") < cost("e", "l")
        assert (replace == replace.T).all()
