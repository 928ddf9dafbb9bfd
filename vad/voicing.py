"""How periodic a moment of sound is: vocal folds repeat themselves 70 to 400 times a second, clatter does not."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

PITCH_HZ = (70, 400)  # deep men's to children's voices
HARMONICS_HZ = (70, 1500)  # where a voice's harmonics are strongest, and stand above most noise
WINDOW_SECONDS = 0.04  # holds three periods of the deepest voice
TRANSFORM_SECONDS = 0.064  # room for the longest period after the window: nothing wraps around
LAGS_PER_SECOND = 8000


def periodicity(samples: npt.NDArray[np.int16], sample_rate: int) -> float:
    """How much `WINDOW_SECONDS` of sound repeat themselves at a voice's pitch: 0 for silence, near 1 for a vowel.

    It is the highest normalised autocorrelation in the harmonics' band, over the lags of a voice's periods and
    corrected for the window: P. Boersma, "Accurate short-term analysis of the fundamental frequency and the
    harmonics-to-noise ratio of a sampled sound", IFA Proceedings 17 (1993).
    """
    window, harmonics, lags, window_correlation = _transform(len(samples), sample_rate)
    length = round(sample_rate * TRANSFORM_SECONDS)
    spectrum = np.fft.rfft(samples * window, length)[harmonics]
    power = np.zeros(round(LAGS_PER_SECOND * TRANSFORM_SECONDS) // 2 + 1)
    power[harmonics] = spectrum.real**2 + spectrum.imag**2
    correlation = np.fft.irfft(power)
    highest = (correlation[lags] / window_correlation).max()
    return float(highest / correlation[0]) if correlation[0] > 0 else 0.0


@lru_cache
def _transform(samples: int, sample_rate: int) -> tuple[npt.NDArray[np.float64], slice, slice, npt.NDArray[np.float64]]:
    """The window, the harmonics' bins, the lags of a voice's periods, and the window's own correlation at these."""
    window = np.hanning(samples)
    low, high = (round(hertz * TRANSFORM_SECONDS) for hertz in HARMONICS_HZ)
    lags = slice(LAGS_PER_SECOND // PITCH_HZ[1], LAGS_PER_SECOND // PITCH_HZ[0] + 1)
    step = sample_rate // LAGS_PER_SECOND
    own = np.correlate(window, window, "full")[samples - 1 :: step]
    return window, slice(low, high + 1), lags, own[lags] / own[0]
