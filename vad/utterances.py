"""A stream of samples in, utterances out: the detector and the endpointer at work on audio."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from vad.detector import FRAME_SECONDS, SpeechDetector
from vad.endpointer import Endpointer, EndpointerOptions, Event, UtteranceEnded
from vad.frames import FrameCutter

SAMPLE_RATE = 16_000  # what the models hear
BYTES_PER_SAMPLE = 2
BYTES_PER_FRAME = round(SAMPLE_RATE * FRAME_SECONDS) * BYTES_PER_SAMPLE
DEFAULT_OPTIONS = EndpointerOptions()

Samples = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Utterance:
    """One utterance: where it lies in its recording, in seconds, and its samples at 16 kHz, shape (samples,)."""

    start: float
    end: float
    samples: Samples = field(repr=False)


class UtteranceCutter:
    """Cuts the utterances out of one stream of samples. It holds the audio of the open utterance, no more."""

    def __init__(self, options: EndpointerOptions = DEFAULT_OPTIONS) -> None:
        self._frames = FrameCutter(BYTES_PER_FRAME)
        self._detector = SpeechDetector(SAMPLE_RATE)
        self._endpointer = Endpointer(options, FRAME_SECONDS)
        self._audio = bytearray()
        self._audio_from = 0  # the frame at which it begins

    def push(self, samples: Samples) -> Iterator[Utterance]:
        """Takes the next samples, any number of them, at 16 kHz; gives the utterances that end in them."""
        for frame in self._frames.push(samples.astype("<i2").tobytes()):
            self._audio += frame
            yield from self._cut(self._endpointer.push(self._detector.is_speech(frame)))
            self._let_go(self._endpointer.open_from)

    def flush(self) -> Iterator[Utterance]:
        """The stream is over: gives the utterance that was open."""
        yield from self._cut(self._endpointer.flush())

    def _cut(self, events: list[Event]) -> Iterator[Utterance]:
        for event in events:
            if isinstance(event, UtteranceEnded):
                yield Utterance(_seconds(event.start), _seconds(event.end), self._samples(event.start, event.end))

    def _samples(self, start: int, end: int) -> Samples:
        """The samples of the frames start <= i < end."""
        first, last = ((frame - self._audio_from) * BYTES_PER_FRAME for frame in (start, end))
        return np.frombuffer(bytes(self._audio[first:last]), "<i2").astype(np.int16)

    def _let_go(self, frame: int) -> None:
        del self._audio[: (frame - self._audio_from) * BYTES_PER_FRAME]
        self._audio_from = frame


def pcm16(samples: npt.NDArray[np.float32]) -> Samples:
    """Samples from -1 to 1 in 16 bits; larger ones are clipped, and what is no number is silence."""
    return np.clip(np.nan_to_num(np.round(samples * 32768)), -32768, 32767).astype(np.int16)


def _seconds(frames: int) -> float:
    return round(frames * FRAME_SECONDS, 3)
