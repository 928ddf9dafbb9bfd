"""What the model made up is not passed on; what was said is, however hard it was to understand."""

from dataclasses import replace

import numpy as np
import pytest

from asr.decoding.hallucination import compression_ratio, is_hallucination, needs_fallback
from asr.decoding.hypothesis import DecodedWindow, Reading

QUERY = "Hotels in Reykjavik."
LOOP = "a little bit of " * 20


def window(text: str, no_speech: float, confidence: float, *, complete: bool = True) -> DecodedWindow:
    return DecodedWindow(Reading(text, (1,), float(np.log(confidence))), (), "en", no_speech, complete)


@pytest.mark.parametrize(
    ("heard", "invented"),
    [
        (window(QUERY, 0.05, 0.9), False),
        (window(QUERY, 0.05, 0.3), False),  # hard to understand, yet somebody spoke
        (window("One, zero, nine.", 0.55, 0.8), False),  # sure of the words, though not of the speech
        (window("Thank you.", 0.9, 0.4), True),
        (window(LOOP, 0.6, 0.9), True),
        (window("", 0.1, 0.9), True),
    ],
)
def test_what_the_model_took_for_no_speech_is_invented(heard: DecodedWindow, invented: bool) -> None:
    assert is_hallucination(heard) is invented


@pytest.mark.parametrize(
    ("no_speech", "confidence", "invented"),
    [(0.8, 0.2, True), (0.8, 0.45, False), (0.63, 0.38, True), (0.3, 0.38, False)],
)
def test_a_loop_is_believed_by_its_first_round(no_speech: float, confidence: float, invented: bool) -> None:
    """A word said over and over is; and no loop is heard a second time, which takes long and gives another."""
    loop = replace(window(LOOP, no_speech, confidence), looped=True)
    assert is_hallucination(loop) is invented
    assert not needs_fallback(loop)


def test_what_only_a_second_hearing_finds_must_be_sure() -> None:
    assert not is_hallucination(window("Thank you.", 0.3, 0.45))
    assert is_hallucination(replace(window("Thank you.", 0.3, 0.45), doubted=True))


@pytest.mark.parametrize(
    ("text", "no_speech", "confidence", "invented"),
    [
        ("Tofu.", 0.39, 0.4, False),
        ("Park", 0.49, 0.33, False),
        ("Belt!", 0.58, 0.56, False),
        ("you", 0.84, 0.47, True),
        ("You", 0.53, 0.22, True),
        ("BEEP", 0.58, 0.31, True),
    ],
)
def test_of_one_short_word_the_model_may_doubt_more(
    text: str, no_speech: float, confidence: float, invented: bool
) -> None:
    assert is_hallucination(replace(window(text, no_speech, confidence), doubted=True, seconds=1.9)) is invented


@pytest.mark.parametrize(
    ("seconds", "no_speech", "confidence", "invented"),
    [
        (3.5, 0.23, 0.34, False),  # "Shoe brand toast."
        (7.9, 0.37, 0.2, False),
        (3.5, 0.41, 0.34, True),
        (12.0, 0.23, 0.34, True),  # "Thank you.", for a tune
    ],
)
def test_some_seconds_that_the_model_takes_for_speech_are_believed_at_a_second_hearing_too(
    seconds: float, no_speech: float, confidence: float, invented: bool
) -> None:
    heard = replace(window(QUERY, no_speech, confidence), doubted=True, seconds=seconds)
    assert is_hallucination(heard) is invented


def test_a_loop_that_only_a_second_hearing_finds_must_be_sure_as_well() -> None:
    assert is_hallucination(replace(window(LOOP, 0.8, 0.45), looped=True, doubted=True))


def test_little_confidence_is_no_text() -> None:
    assert is_hallucination(window("I'm not going to be able to do it.", 0.08, 0.17))


def test_half_a_sentence_is_not_invented_because_the_model_doubts_that_it_is_speech() -> None:
    """ "Can I have a" was held back for another half second."""
    assert not is_hallucination(window("Can I have a", 0.54, 0.45), is_partial=True)
    assert is_hallucination(window("March", 0.59, 0.16), is_partial=True)
    assert is_hallucination(window("", 0.1, 0.9), is_partial=True)


@pytest.mark.parametrize(
    ("heard", "doubtful"),
    [
        (window(QUERY, 0.05, 0.9), False),
        (window(QUERY, 0.05, 0.4), False),  # a mean log-probability of -0.92
        (window(QUERY, 0.05, 0.35), True),  # of -1.05
        (window(QUERY, 0.99, 0.9), False),  # read with confidence, whatever the no-speech token says
        (window(QUERY, 0.99, 0.5), True),  # would be dropped: not before it was heard whole
        (window(QUERY, 0.05, 0.9, complete=False), True),
        (window(LOOP, 0.05, 0.9), True),
        (window("", 0.9, 0.9), True),
    ],
)
def test_a_reading_that_is_unsure_endless_or_one_phrase_over_and_over_is_doubtful(
    heard: DecodedWindow, doubtful: bool
) -> None:
    assert needs_fallback(heard) is doubtful


def test_repetition_compresses_and_nothing_does_not() -> None:
    assert compression_ratio(LOOP) > 8
    assert compression_ratio(QUERY) < 1
    assert compression_ratio("") == 0.0
