"""When a text that does not change any more ends an utterance."""

import pytest

from server.live.options import ListenOptions
from server.live.standstill import KEPT_SECONDS, Cut, Standstill

USUAL = ListenOptions()


def heard(*texts: str, options: ListenOptions = USUAL, pace: float = 0.5) -> Cut | None:
    standstill = Standstill(options)
    for number, text in enumerate(texts):
        standstill.hear(text, pace * number)
    return standstill.cut


def test_what_grows_goes_on() -> None:
    assert heard("hotels", "hotels in", "hotels in Reykjavik", "hotels in Reykjavik", "hotels in Reykjavik and") is None


def test_what_reads_the_same_for_a_second_is_over_where_it_read_so_first() -> None:
    assert heard("hotels in", "hotels in Oslo", "Hotels in Oslo.", "hotels in Oslo") == Cut(0.8, 1.2)


def test_with_a_busy_engine_two_hearings_are_enough() -> None:
    assert heard("hotels in Oslo", "hotels in Oslo", pace=3.0) == Cut(0.3, 2.7)


def test_who_wants_to_wait_longer_in_silence_waits_longer_in_noise() -> None:
    patient = ListenOptions(endpointing=2000)
    assert heard(*["hotels in Oslo"] * 5, options=patient) is None
    assert heard(*["hotels in Oslo"] * 6, options=patient) == Cut(0.3, 2.2)


def test_without_words_for_seconds_nobody_speaks_and_the_last_of_it_is_kept() -> None:
    assert heard(*[""] * 10) is None
    assert heard(*[""] * 11) == Cut(5.0 - KEPT_SECONDS, 5.0 - KEPT_SECONDS)


def test_what_breaks_off_is_waited_for() -> None:
    assert heard(*["hotels in"] * 4) is None
    assert heard(*["hotels in"] * 5) == Cut(0.3, 1.7)


def test_a_pause_is_no_sound_that_goes_on() -> None:
    standstill = Standstill(USUAL)
    standstill.hear("hotels", 1.2)
    standstill.skip(0.85)
    standstill.hear("hotels", 2.3)
    assert standstill.cut is None
    standstill.hear("hotels", 3.1)
    assert standstill.cut


@pytest.mark.parametrize("next_text", ["", "weather in Copenhagen"])
def test_nothing_of_one_utterance_holds_for_the_next(next_text: str) -> None:
    standstill = Standstill(USUAL)
    standstill.hear("hotels in Oslo", 0.0)
    standstill.hear("hotels in Oslo", 1.0)
    assert standstill.cut
    standstill.forget()
    standstill.hear(next_text, 1.5)
    assert standstill.cut is None
