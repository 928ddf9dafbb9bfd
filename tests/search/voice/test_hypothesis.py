"""How rare the words are that a name would take the place of."""

import pytest

from search.voice.hypothesis import RecognisedText


@pytest.mark.parametrize(
    ("text", "rarities", "beside", "expected"),
    [
        ("Things to do in Choney.", (3.0, 2.4, 2.6, 2.5, 6.0), "Things to do in Shawnee.", 6.0),
        ("Things to do in Choney.", (3.0, 2.4, 2.6, 2.5, 6.0), "things to do, in choney", 0.0),
        ("Things to Duin Choney.", (3.0, 2.4, 5.0, 6.0), "Things to do in Shawnee.", 11.0),
        ("Cafés in Saint-Denny.", (4.0, 2.5, 8.0), "Cafes in Saint-Denis.", 4.0),  # half of a word
        ("Where is it", (), "Where is Ito", 0.0),  # nobody knows
        ("", (), "Ito", 0.0),
    ],
)
def test_the_words_that_give_way_count(text: str, rarities: tuple[float, ...], beside: str, expected: float) -> None:
    assert RecognisedText(text, 0.5, rarities).rarity_beside(beside) == pytest.approx(expected)


def test_doubt_is_the_log_odds_against_the_least_sure_word() -> None:
    assert RecognisedText("Where", 0.5).doubt == pytest.approx(0.0)
    assert RecognisedText("Where", 0.1).doubt == pytest.approx(2.197, abs=1e-3)
    assert -6 < RecognisedText("Where", 1.0).doubt < RecognisedText("Where", 0.0).doubt < 7  # never without bound
