"""Encoded audio → mono float32 samples at 16 kHz, within limits that hold while reading.

The content decides how bytes are read, never a file's name. libsndfile reads what it knows (wav, flac, mp3,
…) and FFmpeg the rest (ogg, webm, m4a, aac, 3gp, …).
"""

import io
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

import av
import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from asr.errors import AudioTooLong, InvalidAudio
from vad.channels import ChannelMixer

SAMPLE_RATE = 16_000  # Hz; what Whisper and the rest of this package work at
BLOCK_FRAMES = 16_384
OGG_PAGE = b"OggS"
RIFF_FORMS = (b"RIFF", b"RF64")
SIZE_UNKNOWN = b"\xff\xff\xff\xff"
FMT_BYTES = 64  # no more of a wav's `fmt ` chunk is believed; the largest in use has 50
# A float recording may be written at another scale, such as that of 16 bit; a few samples beyond 1 are only clipped.
WRONG_SCALE = 2.0
USUAL_PEAK_PERCENTILE = 99.9
ROUNDING_SECONDS = 1e-3  # blocks' lengths are added up as floats: a clip of just the longest length may come
FULL_SCALE = 0.999  # of ±1: what was cut off there has lost its peaks

Samples = npt.NDArray[np.float32]

# FFmpeg can also open playlists and image sequences, which name other files or addresses: an upload may not.
FFMPEG_FORMATS = "aac,aiff,amr,asf,caf,flac,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,ogg,wav,w64,mpegts"

# Nor may it decode pictures, such as a cover that unpacks to gigabytes.
FFMPEG_DECODERS = {"aac", "ac3", "alac", "eac3", "flac", "mp2", "mp3", "opus", "vorbis", "wmav1", "wmav2"}
FFMPEG_DECODER_FAMILIES = ("aac_", "amr", "libopencore", "libopus", "libvorbis", "mp2", "mp3", "pcm_", "adpcm_")
# Nor read on and on for something to play.
FFMPEG_OPTIONS = {
    "format_whitelist": FFMPEG_FORMATS,
    "codec_whitelist": ",".join(
        sorted(
            name for name in av.codecs_available if name in FFMPEG_DECODERS or name.startswith(FFMPEG_DECODER_FAMILIES)
        )
    ),
    "protocol_whitelist": "",
    "probesize": "500000",  # bytes
    "analyzeduration": "2000000",  # microseconds
}

_FORMATS = "Send a complete recording as wav, flac, mp3, ogg, opus, webm, m4a or mp4."


USUAL_SECONDS = 120.0


@dataclass(frozen=True)
class AudioLimits:
    """What an upload may hold: longest in seconds, sample rates in Hz, channels, seconds of CPU time.

    `max_decoding_seconds` are for what is as long as is allowed by default; where more is, it may take longer.
    """

    max_seconds: float = USUAL_SECONDS
    min_sample_rate: int = 8_000
    max_sample_rate: int = 96_000
    max_channels: int = 8
    max_decoding_seconds: float = 3.0


@dataclass(frozen=True)
class Audio:
    """Mono samples of shape (n,) at 16 kHz, within [-1, 1]; `clipped` is the share at full scale in the source."""

    samples: Samples
    clipped: float = 0.0

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.samples) / SAMPLE_RATE


def decode_audio(data: bytes, limits: AudioLimits = AudioLimits()) -> Audio:
    """Decode a clip.

    A clip that breaks off or goes wrong part-way gives the part that could be read. A wav whose header was written
    before the length was known, and never mended, gives all that follows the header.

    Raises InvalidAudio for bytes in which no audio can be read or that are out of range, and AudioTooLong as
    soon as more than `limits.max_seconds` have been decoded, whatever a header may claim.
    """
    if not data:
        raise InvalidAudio(f"The file is empty. {_FORMATS}")
    deadline = time.thread_time() + limits.max_decoding_seconds * max(1.0, limits.max_seconds / USUAL_SECONDS)
    # Of an Ogg file that was made by joining several, libsndfile reads the first alone.
    if not data.startswith(OGG_PAGE):
        # What is unknown to libsndfile, empty or damaged is for FFmpeg: it knows more, and believes headers less.
        with suppress(soundfile.SoundFileError, _NoSamples):
            return _decode_with_sndfile(data, _Collector(limits, deadline))
    try:
        return _decode_with_ffmpeg(data, _Collector(limits, deadline))
    except _NoSamples:
        if mended := _with_plain_header(data):
            with suppress(soundfile.SoundFileError, _NoSamples):
                return _decode_with_sndfile(mended, _Collector(limits, deadline))
        raise


class _NoSamples(InvalidAudio):
    """A decoder found nothing; another may find more."""


class _Collector:
    """Gathers decoded blocks as 16 kHz mono and holds the limits while they arrive."""

    def __init__(self, limits: AudioLimits, deadline: float) -> None:
        self.limits = limits
        self.deadline = deadline
        self.source_seconds = 0.0
        self._sample_rate = 0
        self._counted = 0
        self._clipped = 0
        self._blocks: list[Samples] = []
        self._mixer: ChannelMixer | None = None
        self._resampler: soxr.ResampleStream | None = None

    @property
    def begun(self) -> bool:
        return self._mixer is not None

    def begin(self, sample_rate: int, channels: int) -> None:
        """Check what the header says, in Hz and channels, before anything is decoded."""
        limits = self.limits
        if not limits.min_sample_rate <= sample_rate <= limits.max_sample_rate:
            raise InvalidAudio(
                f"The sample rate is {sample_rate} Hz. Send audio at {limits.min_sample_rate} to "
                f"{limits.max_sample_rate} Hz; 16000 Hz mono is plenty for speech."
            )
        if not 1 <= channels <= limits.max_channels:
            raise InvalidAudio(
                f"The audio has {channels} channels. Send 1 to {limits.max_channels}; mono is best for speech."
            )
        self._sample_rate = sample_rate
        self._mixer = ChannelMixer(channels, sample_rate)
        if sample_rate != SAMPLE_RATE:
            self._resampler = soxr.ResampleStream(sample_rate, SAMPLE_RATE, 1, dtype="float32")

    def add(self, block: Samples) -> None:
        """Take a block of shape (frames, channels) at the source's rate, once begun."""
        assert self._mixer
        self.source_seconds += len(block) / self._sample_rate
        if self.source_seconds > self.limits.max_seconds + ROUNDING_SECONDS:
            raise AudioTooLong(
                f"The audio is longer than {self.limits.max_seconds:g} seconds. "
                "Send just the spoken query, or cut the recording into parts."
            )
        self.check_deadline()
        block = _finite(block)
        # Counted before channels are mixed and rates changed, which hide it.
        self._clipped += int(np.count_nonzero(np.abs(block) >= FULL_SCALE))
        self._counted += block.size
        mono = self._mixer.mix(block)
        self._blocks.append(self._resampler.resample_chunk(mono) if self._resampler else mono)

    def check_deadline(self) -> None:
        """Raises InvalidAudio when decoding has taken all the time it may."""
        if time.thread_time() > self.deadline:
            raise InvalidAudio("The audio takes too long to decode. Convert it to 16 kHz mono wav or flac.")

    def finish(self) -> Audio:
        if self._resampler:
            self._blocks.append(self._resampler.resample_chunk(np.empty(0, np.float32), last=True))
        samples = np.concatenate(self._blocks) if self._blocks else np.empty(0, np.float32)
        if not len(samples):
            raise _NoSamples(f"The file holds no audio. {_FORMATS}")
        clipped = self._clipped / self._counted
        peak = np.percentile(np.abs(samples), USUAL_PEAK_PERCENTILE)
        if peak > WRONG_SCALE:
            samples, clipped = samples / peak, 0.0
        return Audio(np.clip(samples, -1.0, 1.0), clipped)


def _finite(block: Samples) -> Samples:
    """A float format can hold anything: what is not a number becomes silence, what is absurd is cut off."""
    return np.clip(np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0), -1e6, 1e6)


def _decode_with_sndfile(data: bytes, collector: _Collector) -> Audio:
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        collector.begin(file.samplerate, file.channels)
        while len(block := file.read(BLOCK_FRAMES, dtype="float32", always_2d=True)):
            collector.add(block)
    return collector.finish()


def _with_plain_header(data: bytes) -> bytes | None:
    """A wav with its format and its samples alone, up to the file's end; None for what is no such wav.

    It mends headers whose other chunks, or 64 bit sizes, are wrong: neither decoder finds the samples behind them.
    """
    fmt = data.find(b"fmt ")
    samples = data.find(b"data", fmt)
    if not (data.startswith(RIFF_FORMS) and data[8:12] == b"WAVE" and 0 < fmt < samples):
        return None
    size = 8 + min(int.from_bytes(data[fmt + 4 : fmt + 8], "little"), FMT_BYTES)
    header = b"RIFF" + SIZE_UNKNOWN + b"WAVE" + data[fmt : fmt + size] + b"data" + SIZE_UNKNOWN
    return header + data[samples + 8 :]


def _decode_with_ffmpeg(data: bytes, collector: _Collector) -> Audio:
    try:
        for block in _ffmpeg_blocks(data, collector):
            collector.add(block)
    # PyAV raises the built-in errors, too, for streams that change format part-way or make no sense.
    except (av.error.FFmpegError, ValueError, LookupError, OverflowError, NotImplementedError) as error:
        if not collector.source_seconds:
            raise _NoSamples(f"No audio could be read from the file. {_FORMATS}") from error
    return collector.finish()


def _ffmpeg_blocks(data: bytes, collector: _Collector) -> Iterator[Samples]:
    with av.open(io.BytesIO(data), "r", options=FFMPEG_OPTIONS, metadata_errors="ignore") as container:
        if not container.streams.audio:
            raise InvalidAudio("The file has no audio track. Send a recording with sound.")
        to_float = av.AudioResampler(format="fltp")
        for frame in _ffmpeg_frames(container, collector):
            if not collector.begun:  # the header of HE-AAC states half the rate that its frames have
                collector.begin(frame.sample_rate, frame.layout.nb_channels)
            for planar in to_float.resample(frame):
                yield cast(Samples, planar.to_ndarray().T)


def _ffmpeg_frames(container: av.container.InputContainer, collector: _Collector) -> Iterator[av.AudioFrame]:
    """The frames of the first audio track. The deadline holds for packets that give none, too."""
    for packet in container.demux(container.streams.audio[0]):
        collector.check_deadline()
        yield from packet.decode()
