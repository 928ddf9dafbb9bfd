"""What the engine works on: clips to be transcribed, texts to be scored."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from asr.audio.decode import Samples
from asr.decoding.forced_scoring import TextScoring
from asr.decoding.hypothesis import DecodedWindow, DecodingOptions
from asr.decoding.stepper import AudioContext
from asr.decoding.window import WindowDecoding
from asr.transcript import Likelihood

Score = Callable[[Sequence[str]], "Future[list[Likelihood]]"]
"""Texts → how likely each is for a piece of audio, which is held in memory as long as this is. See `Engine.score`."""


@dataclass(frozen=True)
class DecodedClip:
    """A clip's answer: its windows in order, and the seconds it waited before work on it began.

    `score` is there where the audio of its only window was kept.
    """

    windows: tuple[DecodedWindow, ...]
    queue_seconds: float
    score: Score | None = field(default=None, repr=False)


@dataclass
class WindowInFlight:
    """One window on its way through the engine, first as its own frames and, if that is doubted, as a whole window.

    `samples` are at 16 kHz, `frames` how many they are encoded as; None for a whole window. The seconds are those of
    both hearings. It has a `decoding` while it is being read. It is `doubted` where the first found no speech.
    """

    samples: Samples
    frames: int | None
    decoding: WindowDecoding | None = None
    encode_seconds: float = 0.0
    decode_seconds: float = 0.0
    encoded_at: float = 0.0
    doubted: bool = False

    @property
    def whole(self) -> bool:
        return self.frames is None


@dataclass(eq=False)
class TranscriptionJob:
    """One clip's whole state in the engine; `windows` are samples at 16 kHz, at most 30 s each.

    `hearing` is the window whose turn it is, which comes after those `decoded`.
    """

    windows: Sequence[Samples]
    options: DecodingOptions
    hearing: WindowInFlight
    deferrable: bool = False
    future: "Future[DecodedClip]" = field(default_factory=Future)
    submitted: float = field(default_factory=time.monotonic)
    queue_seconds: float | None = None
    decoded: list[DecodedWindow] = field(default_factory=list)

    @property
    def seats(self) -> int:
        return self.options.sequences

    @property
    def kind(self) -> int | None:
        """Windows that are encoded as equally many frames may be so together."""
        return self.hearing.frames

    @property
    def reading(self) -> WindowDecoding | None:
        return self.hearing.decoding

    @property
    def finished(self) -> bool:
        return len(self.decoded) == len(self.windows)


@dataclass(eq=False)
class ScoringJob:
    """Texts that are read against audio which was encoded before. It takes a seat, for all of them, for a moment."""

    audio: AudioContext
    language: str
    texts: Sequence[str]
    reading: TextScoring | None = None
    future: "Future[list[Likelihood]]" = field(default_factory=Future)
    seats = 1
    kind = "scoring"


Job = TranscriptionJob | ScoringJob
