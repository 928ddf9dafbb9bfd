"""What a query's text says about whether its speaker has come to the end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.live.completeness import completeness

NAMES = ["Reykjavík", "Iceland", "New York", "São Paulo"]


@pytest.mark.parametrize(
    "text", ["Show me hotels in", "Hotels in the.", "Find me a,", "Flights from Rome to...", "coffee and", "What is"]
)
def test_what_breaks_off_is_open(text: str) -> None:
    assert completeness(text, 0.9, NAMES) == "open"
    assert completeness(text, 0.1, NAMES) == "open"


@pytest.mark.parametrize(
    "text", ["Hotels in Reykjavik.", "reykjavik, iceland", "Museums in New York", "Sao Paulo!", "Where is it?"]
)
def test_what_ends_with_what_was_found_or_a_question_is_complete(text: str) -> None:
    assert completeness(text, 0.9, NAMES) == "complete"


def test_half_a_name_is_not_the_end() -> None:
    assert completeness("Museums in New", 0.9, NAMES) is None
    assert completeness("Museums in São", 0.9, NAMES) is None


def test_nothing_is_told_without_a_name_or_of_what_was_hardly_heard() -> None:
    assert completeness("Show me hotels.", 0.9, NAMES) is None
    assert completeness("Hotels in Reykjavik.", 0.9) is None
    assert completeness("Hotels in Reykjavik.", 0.2, NAMES) is None
    assert completeness("", 0.0, NAMES) is None


@given(st.text(), st.floats(0, 1), st.lists(st.text(max_size=20), max_size=3))
def test_any_text_has_an_answer(text: str, confidence: float, names: list[str]) -> None:
    assert completeness(text, confidence, names) in ("complete", "open", None)
