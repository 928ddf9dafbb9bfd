import numpy as np
import pytest

from tests.vad.sounds import RATE, Pcm, clatter, hiss, silence, vowel
from vad.voicing import WINDOW_SECONDS, periodicity

WINDOW = round(WINDOW_SECONDS * RATE)


def windows(sound: Pcm) -> list[float]:
    return [periodicity(sound[at : at + WINDOW], RATE) for at in range(0, len(sound) - WINDOW, WINDOW)]


@pytest.mark.parametrize("hertz", [75, 120, 210, 390])
@pytest.mark.parametrize("dbfs", [-20, -60])
def test_a_vowel_is_periodic_at_every_pitch_and_level(hertz: float, dbfs: float) -> None:
    assert min(windows(vowel(0.5, hertz, dbfs))) > 0.9


@pytest.mark.parametrize("noise", [hiss(2, -20), clatter(2, -20)])
def test_noise_is_not(noise: Pcm) -> None:
    assert np.mean(np.array(windows(noise)) > 0.75) < 0.05


def test_silence_is_not() -> None:
    assert windows(silence(0.1)) == [0.0, 0.0]
