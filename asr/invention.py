"""The checks after the model: was what it read really said, and did it hear well enough?"""

import zlib

from asr.decoding import MAX_NO_SPEECH_PROBABILITY, DecodedWindow

MIN_CONFIDENCE = 0.6
MIN_PARTIAL_CONFIDENCE = 0.3
# Whisper's own measure of a text that says one thing over and over (Radford et al. 2022, section 4.5).
MAX_COMPRESSION_RATIO = 2.4
MIN_AVG_LOGPROB = -1.0  # the same section's


def is_invented(window: DecodedWindow, *, is_partial: bool = False) -> bool:
    """Whether there was no speech in a window, by the model's own doubt and by how its reading looks.

    Where only half a sentence could be heard, `is_partial`, it doubts much that was said.
    """
    if not window.best.text:
        return True
    if is_partial:
        return window.best.confidence < MIN_PARTIAL_CONFIDENCE
    if window.no_speech_probability <= MAX_NO_SPEECH_PROBABILITY:
        return False
    return window.best.confidence < MIN_CONFIDENCE or compression_ratio(window.best.text) > MAX_COMPRESSION_RATIO


def is_doubtful(window: DecodedWindow) -> bool:
    """Whether a window deserves a second hearing: nothing was heard, or by Whisper's own measures not well.

    They are: no end, one phrase on and on, unsure.
    """
    return (
        is_invented(window)
        or not window.complete
        or window.best.avg_logprob < MIN_AVG_LOGPROB
        or compression_ratio(window.best.text) > MAX_COMPRESSION_RATIO
    )


def compression_ratio(text: str) -> float:
    """How many times smaller deflate makes a text."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0
