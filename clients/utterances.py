"""Recordings in, utterances out: what the edge sends instead of everything it hears."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from clients.errors import UnreadableRecording
from vad.detector import FRAME_SECONDS, SpeechDetector
from vad.endpointer import Endpointer, EndpointerOptions, Event, UtteranceEnded
from vad.frames import FrameCutter

SAMPLE_RATE = 16_000  # what the server's models hear
BLOCK_SECONDS = 5  # read at a time: hours-long recordings never lie in memory whole
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

    def encoded(self) -> bytes:
        """The utterance as a FLAC file, 16 bit mono."""
        buffer = io.BytesIO()
        soundfile.write(buffer, self.samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
        return buffer.getvalue()


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


def is_readable(recording: Path | BinaryIO) -> bool:
    """Whether the recording can be cut here; webm, m4a, aac and the like are for the server to decode.

    Raises `OSError` when a file cannot be opened.
    """
    with _opened(recording) as file:
        try:
            soundfile.SoundFile(file, closefd=False).close()
        except soundfile.LibsndfileError:
            return False
    return True


def utterances(recording: Path | BinaryIO, options: EndpointerOptions = DEFAULT_OPTIONS) -> Iterator[Utterance]:
    """The utterances in a recording that `is_readable`, of any rate and channel count, in order.

    Raises `OSError` when a file cannot be opened, `UnreadableRecording` when it breaks off.
    """
    cutter = UtteranceCutter(options)
    for samples in _blocks(recording):
        yield from cutter.push(samples)
    yield from cutter.flush()


def _blocks(recording: Path | BinaryIO) -> Iterator[Samples]:
    """The recording as 16 kHz mono, a few seconds at a time."""
    with _opened(recording) as file, _translated_errors(), soundfile.SoundFile(file, closefd=False) as sound:
        resampler = soxr.ResampleStream(sound.samplerate, SAMPLE_RATE, num_channels=1, dtype="float32")
        for block in sound.blocks(BLOCK_SECONDS * sound.samplerate, dtype="float32", always_2d=True):
            yield _pcm16(resampler.resample_chunk(block.mean(axis=1)))
        yield _pcm16(resampler.resample_chunk(np.zeros(0, np.float32), last=True))


def _seconds(frames: int) -> float:
    return round(frames * FRAME_SECONDS, 3)


def _pcm16(samples: npt.NDArray[np.float32]) -> Samples:
    return np.clip(np.round(samples * 32768), -32768, 32767).astype(np.int16)


@contextmanager
def _opened(recording: Path | BinaryIO) -> Iterator[int | BinaryIO]:
    """The recording at its beginning, as soundfile takes it; one that was handed over open stays open.

    Of a file it gets the descriptor: it neither judges by a name, nor prints a traceback where reading fails.
    """
    if isinstance(recording, Path):
        with recording.open("rb") as file:
            yield file.fileno()
    else:
        recording.seek(0)
        yield recording


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except soundfile.LibsndfileError as exc:
        raise UnreadableRecording(f"The recording cannot be read to its end: {exc.error_string}") from exc
