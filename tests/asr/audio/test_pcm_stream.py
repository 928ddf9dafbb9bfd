"""Raw PCM of any rate, in pieces of any length, becomes the 16 kHz mono that a whole resampling gives."""

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.audio.decode import Samples
from asr.audio.pcm_stream import Pcm, PcmStream

RATES = [8_000, 11_025, 12_345, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000]


def pcm_at(speech: Samples, sample_rate: int) -> Pcm:
    """The 16 kHz recording at another rate."""
    resampled = soxr.resample(speech, 16_000, sample_rate, "VHQ")
    return np.round(np.clip(resampled, -1, 1) * 32767).astype("<i2")


def in_pieces(stream: PcmStream, data: bytes, sizes: list[int]) -> Pcm:
    pieces = []
    at = 0
    while at < len(data):
        for size in sizes:
            pieces.append(stream.push(data[at : at + size]))
            at += size
    return np.concatenate(pieces)


def decibels_of_difference(heard: Pcm, expected: Pcm) -> float:
    """How far the difference lies below the signal."""
    length = min(len(heard), len(expected))
    difference = heard[:length].astype(float) - expected[:length]
    return 10 * np.log10(np.mean(expected[:length].astype(float) ** 2) / np.mean(difference**2))


@pytest.mark.parametrize("sample_rate", [rate for rate in RATES if rate != 16_000])
def test_it_is_what_a_resampling_of_the_whole_gives(speech: Samples, sample_rate: int) -> None:
    pcm = pcm_at(speech, sample_rate)
    heard = in_pieces(PcmStream(sample_rate, 1), pcm.tobytes(), [640])
    expected = np.round(soxr.resample(pcm.astype(np.float32), sample_rate, 16_000, "VHQ")).astype(np.int16)
    assert decibels_of_difference(heard, expected) > 30
    assert 0 <= len(pcm) * 16_000 / sample_rate - len(heard) <= 34  # it holds back 2 ms at most


@pytest.mark.parametrize("sample_rate", [24_000, 44_100, 48_000])
def test_what_16_khz_cannot_hold_is_kept_out(sample_rate: int) -> None:
    tone = np.round(10_000 * np.sin(2 * np.pi * 9_500 * np.arange(sample_rate) / sample_rate)).astype("<i2")
    heard = PcmStream(sample_rate, 1).push(tone.tobytes())
    assert np.abs(heard[100:]).max() < 10


@settings(max_examples=50, deadline=None)
@given(
    data=st.binary(max_size=4_000),
    sizes=st.lists(st.integers(1, 700), min_size=1, max_size=20),
    sample_rate=st.sampled_from(RATES),
    channels=st.integers(1, 2),
)
def test_how_it_is_cut_makes_no_difference(data: bytes, sizes: list[int], sample_rate: int, channels: int) -> None:
    whole = PcmStream(sample_rate, channels).push(data)
    pieces = in_pieces(PcmStream(sample_rate, channels), data, sizes) if data else whole
    np.testing.assert_array_equal(pieces, whole)


def test_channels_are_mixed() -> None:
    left, right = np.array([1000, -2000, 32767], "<i2"), np.array([3000, -2000, 32767], "<i2")
    stream = PcmStream(16_000, 2)
    np.testing.assert_array_equal(stream.push(np.stack((left, right), axis=1).tobytes()), [2000, -2000, 32767])


def test_inverted_channels_add_up(speech: Samples) -> None:
    pcm = pcm_at(speech, 16_000)
    heard = PcmStream(16_000, 2).push(np.stack((pcm, -pcm), axis=1).tobytes())
    np.testing.assert_array_equal(np.abs(heard[8_000:]), np.abs(pcm[8_000:]))


def test_half_a_sample_waits_for_its_other_half() -> None:
    stream = PcmStream(16_000, 1)
    assert stream.push(b"\x01").tolist() == []
    assert stream.push(b"\x02\x03").tolist() == [0x0201]
    assert stream.push(b"\x00").tolist() == [3]
