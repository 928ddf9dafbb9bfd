"""How much silence ends a query, by how it reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.live.hangover import hangover
from server.live.options import parse_options

DEFAULT = parse_options({})


@pytest.mark.parametrize(
    "text", ["Show me hotels in", "Hotels in the.", "Find me a,", "Flights from Rome to...", "coffee and", "What is"]
)
@pytest.mark.parametrize("ending", [0.1, 0.99])
def test_what_breaks_off_is_waited_for_longest_however_sure_the_model_is(text: str, ending: float) -> None:
    assert hangover(text, ending, DEFAULT) == 0.9


def test_the_surer_the_end_the_shorter_the_silence() -> None:
    seconds = [
        hangover("Hotels in Reykjavik.", ending, DEFAULT) for ending in (0.0, 0.82, 0.91, 0.955, 0.98, 0.984, 1.0)
    ]
    assert seconds == pytest.approx([0.7, 0.7, 0.6, 0.5, 0.38, 0.35, 0.35], abs=0.005)


def test_what_ends_politely_has_ended() -> None:
    assert hangover("Hotels in Reykjavik, please.", 0.99, DEFAULT) < 0.5


def test_where_nothing_was_heard_the_usual_silence_ends_it() -> None:
    assert hangover("", 0.0, DEFAULT) == 0.5


@given(st.text(), st.floats(0, 1), st.sampled_from([{}, {"endpointing": "800"}, {"endpointing_max": "500"}]))
def test_any_text_has_a_silence_within_the_bounds(text: str, ending: float, params: dict[str, str]) -> None:
    options = parse_options(params)
    least, most = options.hangover_bounds_ms
    assert least <= round(1000 * hangover(text, ending, options), 3) <= most
