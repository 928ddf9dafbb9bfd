"""Hiss where a recording has not even the noise of a room, and only there."""

import numpy as np
import pytest

from asr.audio.comfort_noise import COMFORT_DB, with_comfort_noise
from asr.audio.decode import SAMPLE_RATE, Samples
from tests.asr.noises import at_level


@pytest.fixture
def word() -> Samples:
    """Half a second of sound in two of digital silence."""
    tone = at_level(np.sin(np.arange(SAMPLE_RATE // 2) / 3), -26)
    return np.pad(tone, (SAMPLE_RATE // 2, SAMPLE_RATE)).astype(np.float32)


def test_silence_is_filled_far_below_the_loudest_sounds(word: Samples) -> None:
    hiss = with_comfort_noise(word) - word
    assert 20 * np.log10(np.std(hiss[: SAMPLE_RATE // 4])) == pytest.approx(-26 - COMFORT_DB, abs=1)
    np.testing.assert_array_equal(with_comfort_noise(word), with_comfort_noise(word))


def test_what_has_a_background_is_left_alone(word: Samples) -> None:
    in_a_room = word + at_level(np.random.default_rng(1).standard_normal(len(word)), -70)
    assert with_comfort_noise(in_a_room) is in_a_room


def test_nothing_but_silence_and_next_to_no_samples_are_left_alone() -> None:
    for samples in (np.zeros(SAMPLE_RATE, np.float32), np.zeros(10, np.float32), np.zeros(0, np.float32)):
        assert with_comfort_noise(samples) is samples
