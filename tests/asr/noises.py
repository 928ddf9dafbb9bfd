"""Sounds in which nobody speaks, made on the spot; each of shape (n,), 16 kHz."""

from collections.abc import Iterator

import numpy as np

from asr.audio import SAMPLE_RATE, Samples


def at_level(samples: np.ndarray, dbfs: float) -> Samples:
    """Scaled to an RMS level."""
    scaled = samples / np.sqrt(np.mean(samples**2)) * 10 ** (dbfs / 20)
    return np.clip(scaled, -1, 1).astype(np.float32)


def coloured(rng: np.random.Generator, samples: int, slope: float) -> np.ndarray:
    """Noise whose power falls with frequency to the `slope`: 0 white, 1 pink, 2 brown."""
    frequencies = np.maximum(np.fft.rfftfreq(samples, 1 / SAMPLE_RATE), 20)
    spectrum = rng.standard_normal(len(frequencies)) + 1j * rng.standard_normal(len(frequencies))
    return np.fft.irfft(spectrum / frequencies ** (slope / 2), samples)


def noises(seconds: float, seed: int = 0) -> Iterator[tuple[str, Samples]]:
    rng = np.random.default_rng(seed)
    n = int(seconds * SAMPLE_RATE)
    t = np.arange(n) / SAMPLE_RATE
    for name, slope in (("white", 0), ("pink", 1), ("brown", 2)):
        for dbfs in (-50, -30, -12):
            yield f"{name} noise at {dbfs} dBFS", at_level(coloured(rng, n, slope), dbfs)
    yield "mains hum", at_level(sum(np.sin(2 * np.pi * 50 * k * t) / k for k in (1, 2, 3, 5)), -25)
    yield "a tone", at_level(np.sin(2 * np.pi * 440 * t), -20)
    yield "a chord", at_level(sum(np.sin(2 * np.pi * f * t) for f in (262, 330, 392)), -20)
    clicks = at_level(coloured(rng, n, 1), -55)
    for place in rng.integers(0, n - 400, int(3 * seconds)):
        clicks[place : place + 400] += 0.5 * rng.standard_normal(400) * np.exp(-np.arange(400) / 60)
    yield "clicks", np.clip(clicks, -1, 1)
    yield "a fan", at_level(coloured(rng, n, 1), -30) + at_level(np.sin(2 * np.pi * 120 * t), -38)
