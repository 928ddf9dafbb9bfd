"""Sounds made here, to mix with the recordings in samples/: (samples,) int16 at 16 kHz."""

import numpy as np
import numpy.typing as npt

RATE = 16_000
Pcm = npt.NDArray[np.int16]


def silence(seconds: float) -> Pcm:
    return np.zeros(round(seconds * RATE), np.int16)


def hiss(seconds: float, dbfs: float, rate: int = RATE) -> Pcm:
    return at_level(np.random.default_rng(7).standard_normal(round(seconds * rate)), dbfs)


def clatter(seconds: float, dbfs: float) -> Pcm:
    """Dishes: bursts of 50 to 250 ms that ring at no voice's pitch, about twice a second."""
    random = np.random.default_rng(7)
    sound = 0.03 * random.standard_normal(round(seconds * RATE))
    for start in random.integers(0, len(sound), round(2 * seconds)):
        length = min(len(sound) - start, round(random.uniform(0.05, 0.25) * RATE))
        time = np.arange(length) / RATE
        ring = sum(np.sin(2 * np.pi * hertz * time) for hertz in random.uniform(1600, 5000, 3))
        sound[start : start + length] += (ring + random.standard_normal(length)) * np.exp(-12 * time)
    return at_level(sound, dbfs)


def vowel(seconds: float, hertz: float, dbfs: float = -20) -> Pcm:
    """Twenty harmonics of a voice's pitch, each weaker than the one below."""
    time = np.arange(round(seconds * RATE)) / RATE
    return at_level(sum(np.sin(2 * np.pi * hertz * n * time + n) / n for n in range(1, 21)), dbfs)


def at_level(sound: npt.NDArray[np.float64], dbfs: float) -> Pcm:
    return (sound / np.std(sound) * 10 ** (dbfs / 20) * 32768).clip(-32768, 32767).astype(np.int16)


def level(sound: Pcm) -> float:
    """dBFS."""
    return float(20 * np.log10(np.std(sound) / 32768))


def mixed(sound: Pcm, noise: Pcm) -> Pcm:
    return (sound.astype(np.int32) + noise).clip(-32768, 32767).astype(np.int16)


def spoken_part(pcm: Pcm) -> Pcm:
    """From the first to the last sample that is louder than a whisper."""
    loud = np.flatnonzero(np.abs(pcm) > 1000)
    return pcm[loud[0] : loud[-1]]
