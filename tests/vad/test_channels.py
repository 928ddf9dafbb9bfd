"""Speech in any channel is in the mix, and what all channels agree on is their plain mean."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.audio.decode import Samples
from vad.channels import ChannelMixer
from vad.utterances import SAMPLE_RATE

SETTLED = SAMPLE_RATE // 2  # samples after which the channels are known


@pytest.fixture(scope="module")
def silence(speech: Samples) -> Samples:
    return np.zeros_like(speech)


def noise(speech: Samples, decibels: float, seed: int = 0) -> Samples:
    """White noise, so much louder than the speech is on average."""
    level = np.sqrt(np.mean(speech**2)) * 10 ** (decibels / 20)
    return np.asarray(np.random.default_rng(seed).standard_normal(len(speech)) * level, np.float32)


def mixed(*channels: Samples, sample_rate: int = SAMPLE_RATE) -> Samples:
    return ChannelMixer(len(channels), sample_rate).mix(np.stack(channels, axis=1))


def decibels(samples: Samples) -> float:
    return float(10 * np.log10(np.mean(samples**2)))


def clearness(mix: Samples, speech: Samples) -> float:
    """By how many decibels the speech in the mix, at any level, stands above the rest."""
    mix, speech = mix[SETTLED:], speech[SETTLED:]
    part = speech * (mix @ speech) / (speech @ speech)
    return decibels(part) - decibels(mix - part + 1e-9)


@pytest.mark.parametrize("sample_rate", [8_000, 16_000, 44_100])
@pytest.mark.parametrize("gains", [(1,), (1, 1), (1, 0.5), (1,) * 8, (1, 0.9, 0.8, 0.7)])
def test_what_agrees_is_the_plain_mean_to_the_last_bit(
    speech: Samples, sample_rate: int, gains: tuple[float, ...]
) -> None:
    channels = [np.float32(gain) * speech for gain in gains]
    plain = np.stack(channels, axis=1).mean(axis=1, dtype=np.float32)
    np.testing.assert_array_equal(mixed(*channels, sample_rate=sample_rate), plain)


def test_a_stereo_recording_with_noise_of_its_own_in_each_channel_is_the_plain_mean(speech: Samples) -> None:
    left, right = (0.8 * speech + noise(speech, -30, seed) for seed in (1, 2))
    np.testing.assert_array_equal(mixed(left, right), np.stack((left, right), axis=1).mean(axis=1))


@pytest.mark.parametrize("signs", [(1, -1), (-1, 1), (1, -1, 1), (1, -1) * 4, (1, 1, 1, -1)])
@pytest.mark.parametrize("noisy", [False, True])
def test_inverted_copies_add_up(speech: Samples, signs: tuple[int, ...], noisy: bool) -> None:
    channels = [sign * speech + noisy * noise(speech, -20, seed) for seed, sign in enumerate(signs)]
    mix = mixed(*channels)
    assert clearness(mix, speech) > 20
    assert decibels(mix[SETTLED:]) == pytest.approx(decibels(speech[SETTLED:]), abs=0.2)


def test_no_more_than_the_first_20_ms_of_inverted_copies_are_lost(speech: Samples) -> None:
    loud = speech[SAMPLE_RATE // 2 :]
    mix = mixed(loud, -loud)[SAMPLE_RATE // 50 :]
    np.testing.assert_allclose(np.abs(mix), np.abs(loud[SAMPLE_RATE // 50 :]), atol=1e-6)


@pytest.mark.parametrize("channels", [2, 8])
@pytest.mark.parametrize("level", [-20, -5, 5])
def test_noise_in_the_other_channels_does_not_drown_speech(speech: Samples, channels: int, level: float) -> None:
    noises = [noise(speech, level, seed) for seed in range(channels - 1)]
    plain = np.stack((speech, *noises), axis=1).mean(axis=1)
    assert clearness(mixed(*noises, speech), speech) > max(12, clearness(plain, speech) + 10)


@pytest.mark.parametrize("channels", [2, 8])
def test_silence_in_the_other_channels_does_not_make_speech_faint(
    speech: Samples, silence: Samples, channels: int
) -> None:
    mix = mixed(*[silence] * (channels - 1), speech)
    assert decibels(mix) > decibels(speech) - 3


def test_who_speaks_next_is_heard_from_the_first_sound_as_in_the_mean(speech: Samples, silence: Samples) -> None:
    left, right = np.concatenate((speech, silence)), np.concatenate((silence, speech))
    mix, plain = mixed(left, right), (left + right) / 2
    loud = np.abs(plain) > 1e-3
    assert (np.abs(mix[loud]) >= 0.99 * np.abs(plain[loud])).all()


def test_two_who_speak_at_once_are_both_in_the_mix(speech: Samples) -> None:
    other = np.roll(speech, len(speech) // 3)
    mix = mixed(speech, other)
    for one in (speech, other):
        share = (mix @ one) / (one @ one)
        assert 0.3 < share < 0.7


@pytest.mark.parametrize("milliseconds", [1, 5, 20, 30])
def test_a_copy_that_comes_later_is_added_as_in_the_mean(speech: Samples, milliseconds: int) -> None:
    later = np.concatenate((np.zeros(SAMPLE_RATE * milliseconds // 1000, np.float32), speech))[: len(speech)]
    mix, plain = mixed(speech, later), (speech + later) / 2
    turned = (speech - later) / 2
    assert max(clearness(mix, plain), clearness(mix, turned)) > 12


def test_gains_change_without_a_click(speech: Samples, silence: Samples) -> None:
    """A tone that turns over in one channel changes from sample to sample by little more than it does by itself."""
    tone = np.asarray(0.5 * np.sin(2 * np.pi * 300 * np.arange(SAMPLE_RATE) / SAMPLE_RATE), np.float32)
    turned = np.concatenate((tone, -tone, tone))
    mix = mixed(np.concatenate((tone, tone, tone)), turned)
    assert np.abs(np.diff(mix)).max() < 1.2 * np.abs(np.diff(tone)).max()


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(1, 2_000), min_size=1, max_size=10), sample_rate=st.sampled_from([8_000, 44_100]))
def test_how_it_is_cut_makes_no_difference(sizes: list[int], sample_rate: int) -> None:
    rng = np.random.default_rng(0)
    left = rng.standard_normal(8_000).astype(np.float32) * np.linspace(0, 1, 8_000, dtype=np.float32)
    frames = np.stack((left, -left, rng.standard_normal(8_000).astype(np.float32)), axis=1)
    mixer, pieces, at = ChannelMixer(3, sample_rate), [], 0
    while at < len(frames):
        for size in sizes:
            pieces.append(mixer.mix(frames[at : at + size]))
            at += size
    np.testing.assert_array_equal(np.concatenate(pieces), ChannelMixer(3, sample_rate).mix(frames))


def test_what_is_no_number_spoils_nothing_that_follows(speech: Samples) -> None:
    broken = -speech
    broken[100] = np.nan
    mix = mixed(speech, broken)
    assert np.isfinite(np.delete(mix, 100)).all()
    assert clearness(mix, speech) > 20
