"""The gate: figures of a clip, and what is kept from the model."""

import numpy as np
import pytest

from asr.audio.decode import SAMPLE_RATE, Audio, Samples
from asr.audio.quality import Gate
from asr.transcript import Verdict
from tests.asr.noises import at_level, noises


def verdict(samples: Samples) -> Verdict:
    return Gate().inspect(Audio(samples))[0].verdict


def test_speech_passes_and_is_measured(speech: Samples) -> None:
    quality, frames = Gate().inspect(Audio(speech))
    assert quality.verdict is Verdict.OK
    assert quality.duration == len(speech) / SAMPLE_RATE
    assert 0.5 < quality.speech_seconds < quality.duration
    assert len(frames) == len(speech) // 320
    assert -40 < quality.level_dbfs < -10
    assert quality.clipped == 0


def test_the_level_is_that_of_the_speech(speech: Samples) -> None:
    """Silence around an utterance must not make it look quiet."""
    alone = Gate().inspect(Audio(speech))[0].level_dbfs
    padded = Gate().inspect(Audio(np.pad(speech, 5 * SAMPLE_RATE)))[0].level_dbfs
    halved = Gate().inspect(Audio(speech / 2))[0].level_dbfs
    assert padded == pytest.approx(alone, abs=1)
    assert halved == pytest.approx(alone - 6, abs=1)


def test_quiet_speech_passes(speech: Samples) -> None:
    assert verdict(at_level(speech, -50)) is Verdict.OK


def test_clipped_speech_is_told_and_passes(speech: Samples) -> None:
    quality, _ = Gate().inspect(Audio(np.clip(speech * 50, -1, 1), clipped=0.2))
    assert quality.verdict is Verdict.CLIPPED
    assert quality.clipped == 0.2


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (np.full(800, 0.1, np.float32), Verdict.TOO_SHORT),
        (np.zeros(16_000, np.float32), Verdict.SILENT),
        (np.full(16_000, 0.0003, np.float32), Verdict.SILENT),
        (np.full(16_000, 0.1, np.float32), Verdict.NO_SPEECH),
        (np.array([0.5], np.float32), Verdict.TOO_SHORT),
    ],
)
def test_what_holds_no_speech_does_not_pass(samples: Samples, expected: Verdict) -> None:
    assert verdict(samples) is expected


def test_steady_sounds_do_not_reach_the_model() -> None:
    """WebRTC VAD takes loud hiss, hum and tones for speech."""
    for seconds in (0.7, 3.0):
        for name, samples in noises(seconds):
            if name != "clicks":
                assert verdict(samples) in (Verdict.NO_SPEECH, Verdict.SILENT), name
