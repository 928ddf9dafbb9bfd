"""What the model made up is not passed on; what was said is, however hard it was to understand."""

import numpy as np
import pytest

from asr.decoding import DecodedWindow, Reading
from asr.invention import is_invented


def window(text: str, no_speech: float, confidence: float) -> DecodedWindow:
    return DecodedWindow(Reading(text, (1,), float(np.log(confidence))), (), "en", no_speech)


@pytest.mark.parametrize(
    ("heard", "invented"),
    [
        (window("Hotels in Reykjavik.", 0.05, 0.9), False),
        (window("Hotels in Reykjavik.", 0.05, 0.3), False),  # hard to understand, yet somebody spoke
        (window("One, zero, nine.", 0.55, 0.8), False),  # sure of the words, though not of the speech
        (window("Thank you.", 0.9, 0.4), True),
        (window("a little bit of " * 20, 0.6, 0.9), True),
        (window("", 0.1, 0.9), True),
    ],
)
def test_what_the_model_took_for_no_speech_is_invented(heard: DecodedWindow, invented: bool) -> None:
    assert is_invented(heard) is invented
