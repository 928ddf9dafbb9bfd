"""Hallucinations: was what the model read really said, and did it hear well enough?"""

import zlib

from asr.decoding.hypothesis import MAX_NO_SPEECH_PROBABILITY, DecodedWindow

# Of 76 clips of real people the least confident has 0.48. Of 102 clips of music, typing, coughs, traffic and such all
# but four of the 35 that something was made up for stay below this.
MIN_CONFIDENCE = 0.22
# Where the model doubts that anyone speaks.
MIN_DOUBTED_CONFIDENCE = 0.6
# Where a first hearing found no speech, and only a whole window has some.
MIN_SECOND_CONFIDENCE = 0.5
# One to four words, with the silence around them, are heard with little confidence, whether at the first hearing or at
# the second. Of 248 sounds of at most 10 seconds without speech `base` found all to be no speech with a probability of
# 0.43 and more, `tiny.en` of 0.47.
BRIEF_SECONDS = 10.0
MIN_BRIEF_CONFIDENCE = 0.15
BRIEF_NO_SPEECH = 0.4
# For a cough, a click or a note: the more the model takes it for none, the surer it must be of what it read.
SHORT_SECONDS = 3.0
SHORT_CONFIDENCE_SLOPE = 1.4
# Of a loop's first round: words that are said over and over have 0.41 and more, as a rule; noise has 0.26 at most.
MIN_LOOP_CONFIDENCE = 0.35
MIN_DOUBTED_LOOP_CONFIDENCE = 0.45  # where the model doubts that anyone speaks: dogs bark "whoa" over and over
MIN_PARTIAL_CONFIDENCE = 0.3
# Whisper's own measure of a text that says one thing over and over (Radford et al. 2022, section 4.5).
MAX_COMPRESSION_RATIO = 2.4
MIN_AVG_LOGPROB = -1.0  # the same section's


def is_hallucination(window: DecodedWindow, *, is_partial: bool = False) -> bool:
    """Whether there was no speech in a window, by the model's own doubt and by how its reading looks.

    Where only half a sentence could be heard, `is_partial`, it doubts much that was said.
    """
    confidence = window.best.confidence
    if not window.best.text:
        return True
    if is_partial:
        return confidence < MIN_PARTIAL_CONFIDENCE
    if window.looped:
        is_speech = window.no_speech_probability <= MAX_NO_SPEECH_PROBABILITY
        least = MIN_LOOP_CONFIDENCE if is_speech else MIN_DOUBTED_LOOP_CONFIDENCE
        return confidence < (MIN_SECOND_CONFIDENCE if window.doubted else least)
    return confidence < _least_confidence(window) or (
        window.no_speech_probability > MAX_NO_SPEECH_PROBABILITY
        and window.seconds > SHORT_SECONDS
        and compression_ratio(window.best.text) > MAX_COMPRESSION_RATIO
    )


def _least_confidence(window: DecodedWindow) -> float:
    """With how much confidence a window that is no loop must have been read."""
    no_speech = window.no_speech_probability
    if window.seconds <= BRIEF_SECONDS and no_speech <= BRIEF_NO_SPEECH:
        return MIN_BRIEF_CONFIDENCE
    if window.seconds <= SHORT_SECONDS:
        return MIN_BRIEF_CONFIDENCE + SHORT_CONFIDENCE_SLOPE * (no_speech - BRIEF_NO_SPEECH)
    if no_speech > MAX_NO_SPEECH_PROBABILITY:
        return MIN_DOUBTED_CONFIDENCE
    return MIN_SECOND_CONFIDENCE if window.doubted else MIN_CONFIDENCE


def needs_fallback(window: DecodedWindow) -> bool:
    """Whether a window deserves a second hearing: nothing was heard, or by Whisper's own measures not well.

    They are: no end, unsure. A loop is not heard better, only for longer.
    """
    if window.looped:
        return False
    return (
        is_hallucination(window)
        or not window.complete
        or window.best.avg_logprob < MIN_AVG_LOGPROB
        or compression_ratio(window.best.text) > MAX_COMPRESSION_RATIO
    )


def compression_ratio(text: str) -> float:
    """How many times smaller deflate makes a text."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0
