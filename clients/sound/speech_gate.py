"""Lets only speech through, while it is spoken: what the edge sends of what it hears."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from vad.endpointer import EndpointerOptions, SpeechPaused, UtteranceEnded
from vad.frames import FRAME_SECONDS
from vad.utterances import SAMPLE_RATE, Utterance, UtteranceStream

# The server cuts at 30 s by itself: an utterance that ends there would be answered twice.
OPTIONS = EndpointerOptions(longest=28.0)


@dataclass(frozen=True)
class Speech:
    """PCM from `start` seconds on; `is_last` of its utterance, and may then be empty."""

    start: float
    audio: bytes = field(repr=False)
    is_last: bool


class SpeechGate:
    """Follows one stream of 16 bit mono sound at 16 kHz.

    The post-roll passes as it is heard: by its silence the server knows that it may begin to recognise.
    """

    def __init__(self, options: EndpointerOptions = OPTIONS) -> None:
        self._stream = UtteranceStream(options)
        self._post_roll = options.post_roll
        self._is_open = False
        self._certain_until = math.inf  # seconds: what of the open utterance belongs to it, also if it ends here
        self._passed = 0.0  # seconds

    def push(self, data: bytes) -> Iterator[Speech]:
        """Takes the next bytes; gives the speech among them, with what was held back at a pause that is over."""
        for event, utterance in self._stream.push(data):
            self._is_open = not isinstance(event, UtteranceEnded)
            self._certain_until = math.inf
            if isinstance(event, SpeechPaused):
                self._certain_until = event.end * FRAME_SECONDS + self._post_roll
            if isinstance(event, UtteranceEnded):
                yield self._pass(utterance, is_last=True)
        if self._is_open:
            heard = self._stream.heard
            if self._passed < min(heard.end, self._certain_until):
                yield self._pass(heard, is_last=False)

    def flush(self) -> Iterator[Speech]:
        """The stream is over: gives the rest of the utterance that was open."""
        ended, utterance = self._stream.flush()
        if ended:
            yield self._pass(utterance, is_last=True)

    def _pass(self, utterance: Utterance, is_last: bool) -> Speech:
        """What of the utterance has not been passed."""
        start = max(utterance.start, self._passed)
        self._passed = max(min(utterance.end, self._certain_until), self._passed)
        first, end = (round((at - utterance.start) * SAMPLE_RATE) for at in (start, self._passed))
        return Speech(start, utterance.samples[first:end].astype("<i2").tobytes(), is_last)
