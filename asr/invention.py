"""The check after the model: was what it read really said, or did it make it up?"""

import zlib

from asr.decoding import DecodedWindow

# On 592 spoken clips, many in noise at 10 dB, the no-speech probability stays below, but for one that was read with
# confidence; on 112 clips of noise it is above, and the reading unsure or one phrase on and on.
MAX_NO_SPEECH_PROBABILITY = 0.45
MIN_CONFIDENCE = 0.6
# Whisper's own measure of a text that says one thing over and over (Radford et al. 2022, section 4.5).
MAX_COMPRESSION_RATIO = 2.4


def is_invented(window: DecodedWindow) -> bool:
    """Whether there was no speech in a window, by the model's own doubt and by how its reading looks."""
    if not window.best.text:
        return True
    if window.no_speech_probability <= MAX_NO_SPEECH_PROBABILITY:
        return False
    return window.best.confidence < MIN_CONFIDENCE or compression_ratio(window.best.text) > MAX_COMPRESSION_RATIO


def compression_ratio(text: str) -> float:
    """How many times smaller deflate makes a text."""
    data = text.encode()
    return len(data) / len(zlib.compress(data))
