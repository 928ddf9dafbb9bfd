"""Sounds in which nobody speaks, made on the spot; each of shape (n,), 16 kHz."""

from collections.abc import Iterator

import numpy as np

from asr.audio.decode import SAMPLE_RATE, Samples


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


def music(seconds: float, seed: int, *, drums: bool = False) -> Samples:
    """A tune of plucked notes in a scale, a pattern of eight over and over."""
    rng = np.random.default_rng(seed)
    samples = np.zeros(int((seconds + 3) * SAMPLE_RATE))
    beat, root = rng.uniform(0.25, 0.6), rng.choice([110.0, 146.8, 196.0, 261.6])
    pattern = root * 2 ** (rng.choice([0, 2, 4, 5, 7, 9, 11, 12], 8) / 12)
    for number, start in enumerate(np.arange(0, seconds, beat)):
        t = np.arange(int(1.2 * beat * SAMPLE_RATE)) / SAMPLE_RATE
        note = sum(np.sin(2 * np.pi * pattern[number % 8] * k * t) / k for k in range(1, 6))
        _add(samples, start, note * np.minimum(1, t / 0.01) * np.exp(-2 * t))
        if drums:
            _add(samples, start, 1.5 * rng.standard_normal(3200) * np.exp(-np.arange(3200) / 600))
    return at_level(samples[: int(seconds * SAMPLE_RATE)], -20)


def typing(seconds: float, seed: int) -> Samples:
    """Some seven keys a second, in a quiet room."""
    rng = np.random.default_rng(seed)
    samples = np.zeros(int((seconds + 1) * SAMPLE_RATE))
    for start in np.cumsum(rng.exponential(1 / 7, int(6 * seconds))):
        key = rng.standard_normal(960) * np.exp(-np.arange(960) / rng.uniform(100, 260))
        _add(samples, min(start, seconds), rng.uniform(0.4, 1) * key)
    quiet = at_level(coloured(rng, len(samples), 1), -60)
    return (at_level(samples, -25) + quiet)[: int(seconds * SAMPLE_RATE)]


def coughs(seconds: float, seed: int) -> Samples:
    """One in two seconds: a burst, then a little voice."""
    rng = np.random.default_rng(seed)
    samples = np.zeros(int((seconds + 1) * SAMPLE_RATE))
    for start in np.arange(0.5, seconds, 2) + rng.uniform(0, 0.5, len(np.arange(0.5, seconds, 2))):
        n = int(rng.uniform(0.2, 0.45) * SAMPLE_RATE)
        t = np.arange(n) / n
        burst = coloured(rng, n, 0.7)
        voice = np.sin(2 * np.pi * rng.uniform(150, 300) * np.arange(n) / SAMPLE_RATE) * (t > 0.4)
        _add(samples, start, burst / np.abs(burst).max() * np.exp(-4 * t) + 0.3 * voice * np.exp(-5 * t))
    quiet = at_level(coloured(rng, len(samples), 1), -60)
    return (at_level(samples, -25) + quiet)[: int(seconds * SAMPLE_RATE)]


def _add(samples: np.ndarray, seconds: float, sound: np.ndarray) -> None:
    place = int(seconds * SAMPLE_RATE)
    samples[place : place + len(sound)] += sound[: len(samples) - place]
