"""The gate before the model: is there anything in a clip to recognise? Its figures travel in the answer.

Silence and noise make Whisper invent words; the gate keeps them from it. What still passes,
`asr.decoding.hallucination` catches.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from asr.audio.decode import SAMPLE_RATE, Audio, Samples
from asr.audio.windows import spoken_stretches
from asr.transcript import Quality, Verdict
from vad.clip_detector import speech_frames
from vad.frames import FRAME_SAMPLES, FRAME_SECONDS
from vad.noise_floor import SILENT_DBFS, voice_levels

FLOOR_POWER = 1e-12  # -120 dBFS, which is said of digital silence
RANGE_PERCENTILES = (5, 95)
# Loudest 20 ms: what is fainter is judged as if it were as loud as this, for WebRTC VAD takes the faint for nothing.
FAINT_DBFS = -35.0


@dataclass(frozen=True)
class GateOptions:
    """Least seconds of a clip and of speech in it, dBFS of its loudest 20 ms, and share of clipped samples.

    `min_level_range` is in dB, between the quiet and the loud moments of a stretch of speech: syllables make it 13 dB
    and more, also in noise at 10 dB; hum, tones, fans and hiss stay below 7 dB, whatever WebRTC VAD takes them for.
    """

    min_seconds: float = 0.1
    silence_dbfs: float = SILENT_DBFS
    min_speech_seconds: float = 0.1
    min_level_range: float = 7.5
    max_clipped: float = 0.01


class Gate:
    """Judges clips by their sound."""

    def __init__(self, options: GateOptions = GateOptions()) -> None:
        self.options = options

    def inspect(self, audio: Audio) -> tuple[Quality, npt.NDArray[np.bool_]]:
        """The figures of a clip, and for each 20 ms frame whether it is speech that is worth recognising.

        A stretch of speech is judged by itself, however long the silence is in which it lies.
        """
        power = frame_power(audio.samples)
        loudest = _dbfs(float(power.max()))
        pcm = np.round(audio.samples * (32767 * _gain(loudest))).clip(-32768, 32767).astype(np.int16)
        levels = voice_levels(_frames(pcm), SAMPLE_RATE)
        speech = speech_frames(pcm, levels)
        quality = Quality(
            duration=audio.duration,
            speech_seconds=round(float(speech.sum()) * FRAME_SECONDS, 2),
            level_dbfs=_dbfs(float(np.mean(power[speech] if speech.any() else power))),
            clipped=round(audio.clipped, 4),
            verdict=Verdict.OK,
        )
        worth = self._worth_recognising(speech, levels)
        return replace(quality, verdict=self._verdict(quality, loudest, worth)), worth

    def _worth_recognising(
        self, speech: npt.NDArray[np.bool_], levels: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.bool_]:
        """The frames of speech of those stretches that have enough of it, and syllables in it."""
        worth = np.zeros_like(speech)
        fewest = round(self.options.min_speech_seconds / FRAME_SECONDS)
        for first, last in spoken_stretches(speech):
            is_enough = np.count_nonzero(speech[first:last]) >= fewest
            if is_enough and _level_range(levels[first:last]) >= self.options.min_level_range:
                worth[first:last] = speech[first:last]
        return worth

    def _verdict(self, quality: Quality, loudest: float, worth: npt.NDArray[np.bool_]) -> Verdict:
        options = self.options
        if quality.duration < options.min_seconds:
            return Verdict.TOO_SHORT
        if loudest < options.silence_dbfs:
            return Verdict.SILENT
        if not worth.any():
            return Verdict.NO_SPEECH
        return Verdict.CLIPPED if quality.clipped > options.max_clipped else Verdict.OK


def _gain(loudest: float) -> float:
    """By which faint samples are multiplied; of digital silence by nothing."""
    is_faint = 10 * math.log10(FLOOR_POWER) < loudest < FAINT_DBFS
    return float(10 ** ((FAINT_DBFS - loudest) / 20)) if is_faint else 1.0


def frame_power(samples: Samples) -> npt.NDArray[np.float32]:
    """The mean square of each full 20 ms frame of samples, (n,); of the whole where there is not even one."""
    frames = len(samples) // FRAME_SAMPLES
    if not frames:
        return np.array([np.mean(samples**2)], np.float32)
    rows = samples[: frames * FRAME_SAMPLES].reshape(frames, FRAME_SAMPLES)
    return np.asarray(np.mean(rows**2, axis=1), np.float32)


def _frames(pcm: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """The full frames, (frames, FRAME_SAMPLES)."""
    return pcm[: len(pcm) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)


def _level_range(levels: npt.NDArray[np.float64]) -> float:
    """dB between the quiet and the loud frames, in the voice's band."""
    quiet, loud = np.percentile(levels, RANGE_PERCENTILES)
    return float(loud - quiet)


def _dbfs(power: float) -> float:
    return round(10 * math.log10(max(power, FLOOR_POWER)), 1)
