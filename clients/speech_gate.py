"""Lets only speech through, while it is spoken: what the edge sends of what it hears."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from vad.endpointer import EndpointerOptions, SpeechPaused, UtteranceEnded
from vad.utterances import DEFAULT_OPTIONS, SAMPLE_RATE, Utterance, UtteranceStream


@dataclass(frozen=True)
class Speech:
    """PCM from `start` seconds on; `is_last` of its utterance, and may then be empty."""

    start: float
    audio: bytes = field(repr=False)
    is_last: bool


class SpeechGate:
    """Follows one stream of 16 bit mono sound at 16 kHz."""

    def __init__(self, options: EndpointerOptions = DEFAULT_OPTIONS) -> None:
        self._stream = UtteranceStream(options)
        self._is_open = False
        self._passed = 0.0  # seconds

    def push(self, data: bytes) -> Iterator[Speech]:
        """Takes the next bytes; gives the speech among them, with what was held back at a pause that is over."""
        for event, utterance in self._stream.push(data):
            self._is_open = not isinstance(event, SpeechPaused | UtteranceEnded)
            if isinstance(event, UtteranceEnded):
                yield self._pass(utterance, is_last=True)
        if self._is_open:
            yield self._pass(self._stream.heard, is_last=False)

    def flush(self) -> Iterator[Speech]:
        """The stream is over: gives the rest of the utterance that was open."""
        ended, utterance = self._stream.flush()
        if ended:
            yield self._pass(utterance, is_last=True)

    def _pass(self, utterance: Utterance, is_last: bool) -> Speech:
        """What of the utterance has not been passed."""
        start = max(utterance.start, self._passed)
        self._passed = max(utterance.end, self._passed)
        samples = utterance.samples[round((start - utterance.start) * SAMPLE_RATE) :]
        return Speech(start, samples.astype("<i2").tobytes(), is_last)
