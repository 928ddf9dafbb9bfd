"""Recordings are told from PCM by how they begin, and no PCM is taken for one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.audio.decode import Samples
from server.live.containers import START_BYTES, container_of
from tests.asr.recordings import with_data_size, with_ffmpeg, with_sndfile

RATE = 16_000


def pcm_of(samples: Samples) -> bytes:
    return np.round(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()


@pytest.mark.parametrize(
    ("container", "codec", "name"),
    [
        ("webm", "libopus", "WebM"),
        ("matroska", "pcm_s16le", "WebM"),
        ("ogg", "libopus", "Ogg"),
        ("mp4", "aac", "MP4"),
        ("3gp", "aac", "MP4"),
        ("adts", "aac", "AAC"),
        ("aiff", "pcm_s16be", "AIFF"),
        ("caf", "pcm_s16le", "CAF"),
    ],
)
def test_what_ffmpeg_writes_is_known(speech: Samples, container: str, codec: str, name: str) -> None:
    assert container_of(with_ffmpeg(speech, container, codec)[:START_BYTES], RATE, 1) == name


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
def test_mp3_is_known_with_and_without_a_tag(speech: Samples, rate: int) -> None:
    mp3 = with_sndfile(speech, "MP3", sample_rate=rate)
    frames = mp3[mp3.index(b"\xff") :]
    assert container_of(frames[:START_BYTES], RATE, 1) == "MP3"
    assert container_of(b"ID3\x04\0\0\0\0\0\0" + frames[:100], RATE, 1) == "MP3"


@pytest.mark.parametrize(("container", "name"), [("FLAC", "FLAC"), ("W64", "W64"), ("OGG", "Ogg")])
def test_what_libsndfile_writes_is_known(speech: Samples, container: str, name: str) -> None:
    assert container_of(with_sndfile(speech, container)[:START_BYTES], RATE, 1) == name


@pytest.mark.parametrize(
    ("subtype", "rate", "channels", "is_taken"),
    [
        ("PCM_16", 16_000, 1, True),
        ("PCM_16", 48_000, 1, False),
        ("PCM_16", 16_000, 2, False),
        ("PCM_24", 16_000, 1, False),
        ("FLOAT", 16_000, 1, False),
        ("ULAW", 16_000, 1, False),
    ],
)
@pytest.mark.parametrize("container", ["WAV", "RF64"])
def test_of_wavs_only_pcm_of_the_rate_and_channels_asked_for_is_taken(
    speech: Samples, container: str, subtype: str, rate: int, channels: int, is_taken: bool
) -> None:
    wav = with_data_size(with_sndfile(speech, container, subtype, sample_rate=rate, channels=channels), 0)
    assert container_of(wav[:START_BYTES], RATE, 1) == (None if is_taken else "WAV")


def test_a_recording_is_known_however_little_of_it_comes_at_once(speech: Samples) -> None:
    webm = with_ffmpeg(speech, "webm", "libopus")
    assert [container_of(webm[:length], RATE, 1) for length in range(5)] == [None] * 4 + ["WebM"]


def test_speech_is_never_taken_for_a_recording(speech: Samples) -> None:
    """A stream may begin anywhere in it."""
    pcm = pcm_of(speech)
    for at in range(0, len(pcm), 8):
        assert container_of(pcm[at : at + START_BYTES], RATE, 1) is None


@pytest.mark.parametrize("level", [0.5, 3, 100, 3_000, 30_000])
def test_noise_is_never_taken_for_a_recording(level: float) -> None:
    noise = np.random.default_rng(0).standard_normal(1 << 16) * level
    pcm = np.clip(np.round(noise), -32768, 32767).astype("<i2").tobytes()
    for at in range(0, len(pcm), 2):
        assert container_of(pcm[at : at + 12], RATE, 1) is None
    for at in range(0, len(pcm), 64):
        assert container_of(pcm[at : at + START_BYTES], RATE, 1) is None


@settings(max_examples=100, deadline=None)
@given(start=st.binary(max_size=64), first=st.integers(-1100, 10), second=st.integers(-32768, 32767))
def test_what_is_constant_or_begins_like_a_frame_is_not_taken_for_a_recording(
    start: bytes, first: int, second: int
) -> None:
    """The first bytes of an MP3 frame are a sample a little below nothing, and silence has many of those."""
    pair = np.array([first, second], "<i2").tobytes()
    assert container_of(pair + start, RATE, 1) is None
    assert container_of(np.array([first], "<i2").tobytes() * 2_000, RATE, 1) is None
