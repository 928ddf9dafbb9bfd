"""Recordings in, utterances out: what the edge sends instead of everything it hears."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr

from clients.errors import UnreadableRecording
from vad.channels import ChannelMixer
from vad.endpointer import EndpointerOptions
from vad.utterances import DEFAULT_OPTIONS, SAMPLE_RATE, Samples, Utterance, UtteranceCutter, pcm16

UNKNOWN_FRAMES = 1 << 62  # libsndfile claims more of a FLAC that was written to a pipe, which it cannot read to its end
BLOCKS_PER_SECOND = 4  # hours-long recordings never lie in memory whole; where one breaks off, its last block is lost


def is_readable(recording: Path | BinaryIO) -> bool:
    """Whether the recording can be cut here.

    What cannot is for the server to decode, or to refuse: webm, m4a, aac and the like, and files in which no samples
    are found here, as where a header was written before the length was known. Raises `OSError` when a file cannot be
    opened.
    """
    with _opened(recording) as file:
        try:
            with soundfile.SoundFile(file, closefd=False) as sound:
                return bool(0 < sound.frames < UNKNOWN_FRAMES)
        except soundfile.LibsndfileError:
            return False


def utterances(recording: Path | BinaryIO, options: EndpointerOptions = DEFAULT_OPTIONS) -> Iterator[Utterance]:
    """The utterances in a recording that `is_readable`, of any rate and channel count, in order.

    Raises `OSError` when a file cannot be opened, and `UnreadableRecording` when it breaks off, after the utterances
    that were before.
    """
    cutter = UtteranceCutter(options)
    broken: UnreadableRecording | None = None
    try:
        for samples in blocks(recording):
            yield from cutter.push(samples)
    except UnreadableRecording as exc:
        broken = exc
    yield from cutter.flush()
    if broken:
        raise broken


def as_flac(samples: Samples) -> bytes:
    """Samples at 16 kHz as a FLAC file, 16 bit mono."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def blocks(recording: Path | BinaryIO) -> Iterator[Samples]:
    """A recording that `is_readable`, as 16 kHz mono, a part of a second at a time. Raises as `utterances`."""
    with _opened(recording) as file, _translated_errors(), soundfile.SoundFile(file, closefd=False) as sound:
        resampler = soxr.ResampleStream(sound.samplerate, SAMPLE_RATE, num_channels=1, dtype="float32")
        mixer = ChannelMixer(sound.channels, sound.samplerate)
        size = max(1, sound.samplerate // BLOCKS_PER_SECOND)
        while len(block := sound.read(size, dtype="float32", always_2d=True)):
            yield pcm16(resampler.resample_chunk(mixer.mix(block)))
        yield pcm16(resampler.resample_chunk(np.zeros(0, np.float32), last=True))


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
