"""The gate before the model: is there anything in a clip to recognise? And after it: was it really said?

Silence and noise make Whisper invent words. The gate keeps them from the model, and what the model itself takes
for no speech is not passed on.
"""

import math
import zlib
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from asr.audio import SAMPLE_RATE, Samples
from asr.decoding import DecodedWindow
from asr.transcript import Quality, Verdict
from vad.detector import FRAME_SECONDS, speech_frames

FULL_SCALE = 0.999  # of ±1: what was cut off there has lost its peaks
FLOOR_POWER = 1e-12  # -120 dBFS, which is said of digital silence


@dataclass(frozen=True)
class GateOptions:
    """Before the model: seconds, dBFS of the loudest frame, seconds of speech, share of clipped samples.

    After it: the no-speech probability from which a reading is doubted, and what saves a doubted reading:
    confidence, and not being one phrase over and over (Whisper's own measure, Radford et al. 2022, section 4.5).
    """

    min_seconds: float = 0.1
    silence_dbfs: float = -60.0
    min_speech_seconds: float = 0.1
    max_clipped: float = 0.01
    max_no_speech_probability: float = 0.45
    min_doubtful_confidence: float = 0.6
    max_compression_ratio: float = 2.4


class Gate:
    """Judges clips by their sound, and readings by how sure the model is that there was speech."""

    def __init__(self, options: GateOptions = GateOptions()) -> None:
        self.options = options

    def inspect(self, samples: Samples) -> tuple[Quality, npt.NDArray[np.bool_]]:
        """The figures of samples (n,) at 16 kHz, and for each 20 ms frame whether it is speech."""
        speech = speech_frames(np.round(samples * 32767).astype(np.int16), SAMPLE_RATE)
        power = _frame_power(samples)
        quality = Quality(
            duration=len(samples) / SAMPLE_RATE,
            speech_seconds=round(float(speech.sum()) * FRAME_SECONDS, 2),
            level_dbfs=_dbfs(float(np.mean(power[speech] if speech.any() else power))),
            clipped=round(float(np.mean(np.abs(samples) >= FULL_SCALE)), 4),
            verdict=Verdict.OK,
        )
        return replace(quality, verdict=self._verdict(quality, loudest=_dbfs(float(power.max())))), speech

    def is_invented(self, window: DecodedWindow) -> bool:
        """Whether what the model read in a window is its own invention: it took the window for no speech.

        On speech, in noise at 10 dB too, the no-speech probability stays below the threshold but for rare clips,
        which are then read with confidence; on noise it is above, and the reading unsure or one phrase on and on.
        """
        options = self.options
        if not window.best.text:
            return True
        if window.no_speech_probability <= options.max_no_speech_probability:
            return False
        return (
            window.best.confidence < options.min_doubtful_confidence
            or compression_ratio(window.best.text) > options.max_compression_ratio
        )

    def _verdict(self, quality: Quality, loudest: float) -> Verdict:
        options = self.options
        if quality.duration < options.min_seconds:
            return Verdict.TOO_SHORT
        if loudest < options.silence_dbfs:
            return Verdict.SILENT
        if quality.speech_seconds < options.min_speech_seconds:
            return Verdict.NO_SPEECH
        return Verdict.CLIPPED if quality.clipped > options.max_clipped else Verdict.OK


def compression_ratio(text: str) -> float:
    """How many times smaller deflate makes a text: above 2.4 or so it says one thing over and over."""
    data = text.encode()
    return len(data) / len(zlib.compress(data))


def _frame_power(samples: Samples) -> Samples:
    """The mean square of each full 20 ms frame; of the whole where there is not even one."""
    frame_samples = round(FRAME_SECONDS * SAMPLE_RATE)
    frames = len(samples) // frame_samples
    if not frames:
        return np.array([np.mean(samples**2)], np.float32)
    rows = samples[: frames * frame_samples].reshape(frames, frame_samples)
    return np.asarray(np.mean(rows**2, axis=1), np.float32)


def _dbfs(power: float) -> float:
    return round(10 * math.log10(max(power, FLOOR_POWER)), 1)
