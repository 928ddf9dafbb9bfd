"""A stream of samples in, utterances out: the detector and the endpointer at work on audio."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from vad.endpointer import Endpointer, EndpointerOptions, Event, UtteranceEnded
from vad.frames import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE, FrameCutter
from vad.held_audio import HeldAudio, Samples
from vad.live_detector import VoiceDetector

__all__ = ["DEFAULT_OPTIONS", "SAMPLE_RATE", "Samples", "Utterance", "UtteranceCutter", "UtteranceStream", "pcm16"]

BYTES_PER_FRAME = 2 * FRAME_SAMPLES
FRAMES_AT_ONCE = 50  # a long message is worked through in pieces, so that no more of it is held than needed
DEFAULT_OPTIONS = EndpointerOptions()


@dataclass(frozen=True)
class Utterance:
    """One utterance: where it lies in its recording, in seconds, and its samples at 16 kHz, shape (samples,)."""

    start: float
    end: float
    samples: Samples = field(repr=False)


class UtteranceStream:
    """Follows one stream of 16 bit mono sound at 16 kHz: what happens, with the utterance it happens to.

    It holds the audio of the open utterance, from its pre-roll on, and no more: never longer than `longest`.
    """

    def __init__(self, options: EndpointerOptions = DEFAULT_OPTIONS) -> None:
        self._cutter = FrameCutter(BYTES_PER_FRAME)
        self._detector = VoiceDetector()
        self._endpointer = Endpointer(options, FRAME_SECONDS)
        self._audio = HeldAudio()

    def push(self, data: bytes) -> list[tuple[Event, Utterance]]:
        """Takes the next bytes, little-endian, any number of them; gives the events in them.

        With each comes its utterance, as it was: up to its end if it has ended, else all that was heard of it.
        """
        frames = np.frombuffer(b"".join(self._cutter.push(data)), "<i2").reshape(-1, FRAME_SAMPLES)
        pieces = (frames[at : at + FRAMES_AT_ONCE] for at in range(0, len(frames), FRAMES_AT_ONCE))
        return [heard for piece in pieces for heard in self._push(piece)]

    def expect(self, hangover: float) -> list[tuple[Event, Utterance]]:
        """How many seconds of silence are to end the utterance in the pause that is on: see `Endpointer.expect`."""
        return self._with_audio(self._endpointer.expect(hangover), self._audio.end)

    def cut(self, end: float, start: float) -> list[tuple[Event, Utterance]]:
        """Ends the utterance at `end` seconds though sound goes on, which may be the next from `start` seconds on.

        See `Endpointer.cut`.
        """
        frames = (round(seconds / FRAME_SECONDS) for seconds in (end, start))
        return self._with_audio(self._endpointer.cut(*frames), self._audio.end)

    @property
    def heard(self) -> Utterance:
        """The open utterance so far, or what one that begins now would reach back to. Its samples are not a copy."""
        return self._utterance(self._endpointer.open_from * FRAME_SAMPLES, self._audio.end)

    def flush(self) -> tuple[UtteranceEnded | None, Utterance]:
        """Ends what is open; more may be pushed. Gives what was heard of it, even if it was too short to be announced.

        The event is None where no utterance had been announced. Less than a frame at the end stays for what follows.
        """
        heard = self.heard
        ended = self._with_audio(self._endpointer.flush(), self._audio.end)
        self._audio.let_go(self._audio.end)
        for event, utterance in ended:
            if isinstance(event, UtteranceEnded):
                return event, utterance
        return None, heard

    def _push(self, frames: Samples) -> Iterator[tuple[Event, Utterance]]:
        now = self._audio.end
        self._audio.append(frames.ravel())
        for decision in self._detector.decide(frames):
            now += FRAME_SAMPLES
            if events := self._endpointer.push(decision.is_speech, is_tentative=decision.is_tentative):
                yield from self._with_audio(events, now)
        self._audio.let_go(self._endpointer.open_from * FRAME_SAMPLES)

    def _with_audio(self, events: list[Event], now: int) -> list[tuple[Event, Utterance]]:
        return [(event, self._utterance(event.start * FRAME_SAMPLES, _end(event, now))) for event in events]

    def _utterance(self, start: int, end: int) -> Utterance:
        return Utterance(_seconds(start), _seconds(end), self._audio.between(start, end))


class UtteranceCutter:
    """Cuts the utterances out of one stream of samples. It holds the audio of the open utterance, no more."""

    def __init__(self, options: EndpointerOptions = DEFAULT_OPTIONS) -> None:
        self._stream = UtteranceStream(options)

    def push(self, samples: Samples) -> Iterator[Utterance]:
        """Takes the next samples, any number of them, at 16 kHz; gives the utterances that end in them."""
        for event, utterance in self._stream.push(samples.astype("<i2").tobytes()):
            if isinstance(event, UtteranceEnded):
                yield utterance

    def flush(self) -> Iterator[Utterance]:
        """The stream is over: gives the utterance that was open."""
        ended, utterance = self._stream.flush()
        if ended:
            yield utterance


def pcm16(samples: npt.NDArray[np.float32]) -> Samples:
    """Samples from -1 to 1 in 16 bits; larger ones are clipped, and what is no number is silence."""
    return np.clip(np.nan_to_num(np.round(samples * 32768)), -32768, 32767).astype(np.int16)


def _end(event: Event, now: int) -> int:
    return event.end * FRAME_SAMPLES if isinstance(event, UtteranceEnded) else now


def _seconds(samples: int) -> float:
    return round(samples / SAMPLE_RATE, 3)
