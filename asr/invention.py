"""Hallucinations: was what the model read really said, and did it hear well enough?"""

import zlib

from asr.decoding import MAX_NO_SPEECH_PROBABILITY, DecodedWindow

# Of 76 clips of real people the least confident has 0.48. Of 102 clips of music, typing, coughs, traffic and such all
# but four of the 35 that something was made up for stay below this.
MIN_CONFIDENCE = 0.22
# Where the model doubts that anyone speaks.
MIN_DOUBTED_CONFIDENCE = 0.6
# Where a first hearing found no speech, and only a whole window has some.
MIN_SECOND_CONFIDENCE = 0.5
# One to four words, with the silence around them, are heard with little confidence. What is made up for a cough, a
# click or a note the model itself takes for no speech, with a probability of 0.49 and more in both packaged models: the
# more it does, the surer it must be of what it read, whether or not a first hearing found speech.
SHORT_SECONDS = 3.0
MIN_SHORT_CONFIDENCE = 0.15
SHORT_NO_SPEECH = 0.4
SHORT_CONFIDENCE_SLOPE = 1.4
# Of a loop's first round: words that are said over and over have 0.41 and more, as a rule; noise has 0.26 at most.
MIN_LOOP_CONFIDENCE = 0.35
MIN_DOUBTED_LOOP_CONFIDENCE = 0.45  # where the model doubts that anyone speaks: dogs bark "whoa" over and over
MIN_PARTIAL_CONFIDENCE = 0.3
# Whisper's own measure of a text that says one thing over and over (Radford et al. 2022, section 4.5).
MAX_COMPRESSION_RATIO = 2.4
MIN_AVG_LOGPROB = -1.0  # the same section's


def is_invented(window: DecodedWindow, *, is_partial: bool = False) -> bool:
    """Whether there was no speech in a window, by the model's own doubt and by how its reading looks.

    Where only half a sentence could be heard, `is_partial`, it doubts much that was said.
    """
    confidence = window.best.confidence
    if not window.best.text:
        return True
    if is_partial:
        return confidence < MIN_PARTIAL_CONFIDENCE
    if window.seconds <= SHORT_SECONDS and not window.looped:
        return confidence < _least_of_short(window.no_speech_probability)
    is_speech = window.no_speech_probability <= MAX_NO_SPEECH_PROBABILITY
    least = MIN_CONFIDENCE
    if window.looped:
        least = MIN_LOOP_CONFIDENCE if is_speech else MIN_DOUBTED_LOOP_CONFIDENCE
    if confidence < (MIN_SECOND_CONFIDENCE if window.doubted else least):
        return True
    if window.looped or is_speech:
        return False
    return confidence < MIN_DOUBTED_CONFIDENCE or compression_ratio(window.best.text) > MAX_COMPRESSION_RATIO


def _least_of_short(no_speech_probability: float) -> float:
    return MIN_SHORT_CONFIDENCE + SHORT_CONFIDENCE_SLOPE * max(0.0, no_speech_probability - SHORT_NO_SPEECH)


def is_doubtful(window: DecodedWindow) -> bool:
    """Whether a window deserves a second hearing: nothing was heard, or by Whisper's own measures not well.

    They are: no end, unsure. A loop is not heard better, only for longer.
    """
    if window.looped:
        return False
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
