"""How loud the background is, and whether a frame stands out of it.

WebRTC VAD judges the shape of the spectrum, so clatter, running water or a fan often passes for speech. A
voice meant for the microphone is also louder than what surrounds it; this is that second piece of evidence.
"""

import math
from collections import deque
from functools import lru_cache

import numpy as np
import numpy.typing as npt

VOICE_BAND_HZ = (
    200,
    3400,
)  # the telephone's band: most of the voice, none of the rumble and little of the hiss
SILENT_DBFS = -60.0  # nothing that is said stays below
QUIETEST_DBFS = -80.0  # digital silence counts as this; 16 bit noise lies below
WARM_UP_SECONDS = 1.0  # a recording may start in mid-word: until then nothing is known of the background
MEMORY_SECONDS = 3.0  # longer than anyone speaks without a gap, so the quietest moment in it is background
SMOOTHING_SECONDS = 0.1
ADAPTATION_SECONDS = 1.0
MARGIN_DB = (6.0, 12.0)  # a steady background needs the least, a clattering one the most
DEVIATIONS = 4.0
INITIAL_DEVIATION_DB = 2.0


def voice_levels(frames: npt.NDArray[np.int16], sample_rate: int) -> npt.NDArray[np.float64]:
    """The mean power of each frame between 200 and 3,400 Hz, in dB relative to a full-scale square wave.

    (n, samples) → (n,).
    """
    length = frames.shape[1]
    low, high = (round(hertz * length / sample_rate) for hertz in VOICE_BAND_HZ)
    spectrum = np.fft.rfft(frames * _window(length))[:, low : high + 1]
    mean_square = 2 * np.square(np.abs(spectrum)).sum(axis=1) / length
    levels: npt.NDArray[np.float64] = np.maximum(QUIETEST_DBFS, 10 * np.log10(mean_square + 1e-12))
    return levels


@lru_cache
def _window(length: int) -> npt.NDArray[np.float64]:
    """A Hann window for 16 bit samples: with it, full scale has the power of one."""
    window: npt.NDArray[np.float64] = np.hanning(length)
    return window / (32768 * math.sqrt(np.vdot(window, window)))


class NoiseFloor:
    """Follows the background of one stream, frame by frame.

    The floor is the minimum of the smoothed level over the last three seconds (minimum statistics: R. Martin,
    "Noise Power Spectral Density Estimation Based on Optimal Smoothing and Minimum Statistics", IEEE Trans.
    Speech and Audio Processing 9(5), 2001). How far above it a voice must rise follows from how unsteady the
    frames without speech are: their mean plus four mean deviations, within `MARGIN_DB`.
    """

    def __init__(self, frame_seconds: float) -> None:
        self._recent: deque[float] = deque(maxlen=round(SMOOTHING_SECONDS / frame_seconds))
        self._smoothed: deque[float] = deque(maxlen=round(MEMORY_SECONDS / frame_seconds))
        self._warm_up_frames = round(WARM_UP_SECONDS / frame_seconds)
        self._adaptation = frame_seconds / ADAPTATION_SECONDS
        self._mean: float | None = None
        self._deviation = INITIAL_DEVIATION_DB
        self.level = QUIETEST_DBFS
        """The floor, in dBFS, after the last frame."""

    def stands_out(self, level: float, speech_like: bool) -> bool:
        """Whether a frame of `level` dBFS is clearly louder than the background; True while that is unknown.

        `speech_like` is another detector's word on the frame: frames without it teach what the background is.
        """
        self.level = self._follow(level)
        if not speech_like:
            self._learn_background(level)
        if self._warm_up_frames > 0:
            self._warm_up_frames -= 1
            return True
        return level > self.level + self._margin(self.level)

    def _follow(self, level: float) -> float:
        self._recent.append(10 ** (level / 10))
        self._smoothed.append(10 * math.log10(sum(self._recent) / len(self._recent)))
        return min(self._smoothed)

    def _learn_background(self, level: float) -> None:
        self._mean = level if self._mean is None else self._mean + self._adaptation * (level - self._mean)
        self._deviation += self._adaptation * (abs(level - self._mean) - self._deviation)

    def _margin(self, floor: float) -> float:
        mean = floor if self._mean is None else self._mean
        lowest, highest = MARGIN_DB
        return min(highest, max(lowest, mean - floor + DEVIATIONS * self._deviation))
