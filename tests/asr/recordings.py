"""Recordings in every format, encoded on the spot."""

import io

import av
import numpy as np
import soundfile
import soxr

from asr.audio.decode import SAMPLE_RATE, Samples


def resampled(samples: Samples, sample_rate: int) -> Samples:
    return np.asarray(soxr.resample(samples, SAMPLE_RATE, sample_rate), np.float32)


def with_sndfile(
    samples: Samples,
    container: str,
    subtype: str | None = None,
    *,
    sample_rate: int = SAMPLE_RATE,
    channels: int = 1,
) -> bytes:
    buffer = io.BytesIO()
    frames = np.repeat(resampled(samples, sample_rate)[:, None], channels, axis=1)
    soundfile.write(buffer, frames, sample_rate, format=container, subtype=subtype)
    return buffer.getvalue()


def with_ffmpeg(samples: Samples, container: str, codec: str, *, sample_rate: int = 48_000) -> bytes:
    """Encode with FFmpeg; mp4 comes with its index at the end, as phones write it."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as output:
        stream = output.add_stream(codec, rate=sample_rate)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(resampled(samples, sample_rate)[None], format="fltp", layout="mono")
        frame.sample_rate = sample_rate
        to_codec = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=sample_rate)
        for piece in (*to_codec.resample(frame), *to_codec.resample(None)):
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))
    return buffer.getvalue()


def with_riff_size(wav: bytes, size: int) -> bytes:
    """The wav with this size, in bytes, in its first header."""
    return wav[:4] + size.to_bytes(4, "little") + wav[8:]


def with_data_size(wav: bytes, size: int) -> bytes:
    """The wav with this size, in bytes, for its samples: 0 and 0xFFFFFFFF are what streaming recorders write."""
    at = wav.index(b"data") + 4
    return wav[:at] + size.to_bytes(4, "little") + wav[at + 4 :]


def with_list_chunk(wav: bytes, size: int, *, padded: bool) -> bytes:
    """The wav with a chunk of `size` bytes before its samples; odd ones should be `padded` to an even length."""
    at = wav.index(b"data")
    return wav[:at] + b"LIST" + size.to_bytes(4, "little") + b"x" * size + b"\0" * (padded and size % 2) + wav[at:]
