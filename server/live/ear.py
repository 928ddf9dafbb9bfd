"""What is heard of one stream: where somebody begins to speak, falls silent, goes on, and has come to an end.

Of two kinds: `Ear` decides by itself where utterances end; `TrustingEar` leaves it to the client.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from asr.audio import SAMPLE_RATE
from asr.pcm import Pcm
from vad.detector import FRAME_SECONDS, SpeechDetector
from vad.endpointer import Endpointer, EndpointerOptions, Event
from vad.endpointer import SpeechStarted as Announced
from vad.frames import FrameCutter

FRAME_SAMPLES = round(SAMPLE_RATE * FRAME_SECONDS)
LONGEST_SECONDS = 30.0  # what the model hears at once
SILENCE_SECONDS = 0.2  # after which it is worth to recognise what was said: most pauses within speech are shorter


@dataclass(frozen=True)
class SpeechBegan:
    """An utterance is open since `at` seconds."""

    at: float


@dataclass(frozen=True)
class SilenceBegan:
    """The utterance may be over."""


@dataclass(frozen=True)
class SpeechResumed:
    """It was not."""


@dataclass(frozen=True)
class Utterance:
    """What was said from `start`, with its samples at 16 kHz; `is_cut`: it is too long, and goes on in the next."""

    start: float
    samples: Pcm
    speech_end: float
    is_cut: bool = False

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.samples) / SAMPLE_RATE


HearingEvent = SpeechBegan | SilenceBegan | SpeechResumed | Utterance


class Ear:
    """Ends utterances after `hangover` seconds of silence, which may be set at any time; at most `longest_hangover`."""

    def __init__(self, hangover: float, longest_hangover: float) -> None:
        self.hangover = hangover
        self._frames = FrameCutter(2 * FRAME_SAMPLES)
        self._detector = SpeechDetector(SAMPLE_RATE)
        self._endpointer = Endpointer(EndpointerOptions(hangover=longest_hangover), FRAME_SECONDS)
        self._audio = bytearray()
        self._audio_from = 0  # frames
        self._heard = 0
        self._start: int | None = None
        self._last_speech = 0
        self._is_silent = False

    @property
    def position(self) -> float:
        """Seconds heard."""
        return self._heard * FRAME_SECONDS

    @property
    def open_samples(self) -> Pcm:
        """The utterance that is open, so far; none where none is."""
        return self._samples(self._heard if self._start is None else self._start, self._heard)

    @property
    def is_open(self) -> bool:
        return self._start is not None

    def push(self, samples: Pcm) -> Iterator[HearingEvent]:
        """Hear the next samples, any number of them at 16 kHz."""
        for frame in self._frames.push(samples.astype("<i2").tobytes()):
            yield from self._hear(frame)

    def settle(self) -> Iterator[HearingEvent]:
        """End the utterance if, by a hangover that was set meanwhile, it is over."""
        if self._start is not None and self._silence >= self.hangover - FRAME_SECONDS / 2:
            yield from self.flush()

    def flush(self) -> Iterator[HearingEvent]:
        """End the utterance that is open, if one is."""
        yield from self._tell(self._endpointer.flush())

    @property
    def _silence(self) -> float:
        """Seconds since the last frame of speech."""
        return (self._heard - 1 - self._last_speech) * FRAME_SECONDS

    def _hear(self, frame: bytes) -> Iterator[HearingEvent]:
        self._audio += frame
        is_speech = self._detector.is_speech(frame)
        if is_speech:
            self._last_speech = self._heard
        self._heard += 1
        yield from self._tell(self._endpointer.push(is_speech))
        if self._start is not None:
            yield from self._follow_silence(is_speech)
            yield from self.settle()
        self._let_go(self._endpointer.open_from)

    def _follow_silence(self, is_speech: bool) -> Iterator[HearingEvent]:
        if is_speech and self._is_silent:
            self._is_silent = False
            yield SpeechResumed()
        elif not self._is_silent and self._silence >= SILENCE_SECONDS - FRAME_SECONDS / 2:
            self._is_silent = True
            yield SilenceBegan()

    def _tell(self, events: list[Event]) -> Iterator[HearingEvent]:
        for event in events:
            self._is_silent = False
            if isinstance(event, Announced):
                self._start = event.start
                yield SpeechBegan(event.start * FRAME_SECONDS)
            else:
                self._start = None
                samples = self._samples(event.start, event.end)
                speech_end = (self._last_speech + 1) * FRAME_SECONDS
                yield Utterance(event.start * FRAME_SECONDS, samples, speech_end, event.ended_by == "longest")

    def _samples(self, start: int, end: int) -> Pcm:
        first, last = ((frame - self._audio_from) * FRAME_SAMPLES * 2 for frame in (start, end))
        return np.frombuffer(bytes(self._audio[first:last]), "<i2").astype(np.int16)

    def _let_go(self, frame: int) -> None:
        del self._audio[: (frame - self._audio_from) * FRAME_SAMPLES * 2]
        self._audio_from = frame


class TrustingEar:
    """Takes all that is sent for speech, and an utterance for over when it is told so."""

    hangover = 0.0

    def __init__(self) -> None:
        self._audio = bytearray()
        self._start = 0  # samples

    @property
    def position(self) -> float:
        """Seconds heard."""
        return (self._start + len(self._audio) // 2) / SAMPLE_RATE

    @property
    def open_samples(self) -> Pcm:
        """What was said since the last utterance."""
        return np.frombuffer(bytes(self._audio), "<i2").astype(np.int16)

    @property
    def is_open(self) -> bool:
        return bool(self._audio)

    def push(self, samples: Pcm) -> Iterator[HearingEvent]:
        """Hear the next samples, any number of them at 16 kHz."""
        at = 0
        longest = round(LONGEST_SECONDS * SAMPLE_RATE)
        while at < len(samples):
            if not self._audio:
                yield SpeechBegan(self._start / SAMPLE_RATE)
            taken = samples[at : at + longest - len(self._audio) // 2]
            self._audio += taken.astype("<i2").tobytes()
            at += len(taken)
            if len(self._audio) // 2 == longest:
                yield self._end(is_cut=True)

    def settle(self) -> Iterator[HearingEvent]:
        """Only the client ends an utterance."""
        return iter(())

    def flush(self) -> Iterator[HearingEvent]:
        """End the utterance that is open, if one is."""
        if self._audio:
            yield self._end(is_cut=False)

    def _end(self, *, is_cut: bool) -> Utterance:
        utterance = Utterance(self._start / SAMPLE_RATE, self.open_samples, self.position, is_cut)
        self._start += len(utterance.samples)
        self._audio.clear()
        return utterance
