"""The encoder in int8 says what the plain one says, for clips of every length and on every kind of processor."""

import ctypes
from pathlib import Path

import numpy as np
import pytest
import torch

import asr.compute
from asr.audio import SAMPLE_RATE, Samples
from asr.checkpoints import Checkpoint
from asr.compute import Compute, choose_compute
from asr.encoding import Encoder
from asr.features import log_mel_spectrogram
from asr.precision import Precision

LARGEST_ERROR = 0.1  # of the encoded audio, relative; 0.03 to 0.06 were measured


@pytest.fixture(scope="module", params=[torch.bfloat16, torch.float32], ids=["with bfloat16", "without"])
def native(
    request: pytest.FixtureRequest, tiny_en: Checkpoint, native_library: ctypes.CDLL, tmp_path_factory
) -> Encoder:
    """As processors with and without bfloat16 run it."""
    cache: Path = tmp_path_factory.mktemp("compiled")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asr.compute, "best_of_cpu", lambda: request.param)
        return choose_compute(tiny_en, Precision.INT8, threads=1, cache=cache).encoder


@pytest.mark.parametrize("seconds", [0.5, 3.0, 10.0, 29.2, 29.36, 29.5, 30.0])
def test_clips_of_every_length_are_encoded_alike(
    native: Encoder, tiny_en: Checkpoint, speech: Samples, seconds: float
) -> None:
    """Nothing lies beyond a clip that fills its window: from 29.3 s on that once broke."""
    samples = np.tile(speech, 12)[: round(seconds * SAMPLE_RATE)]
    mel = log_mel_spectrogram(samples, 80)
    plain = Compute.plain(tiny_en, threads=1).encoder
    for ours, theirs in ((native.encode, plain.encode), (native.encode_whole, plain.encode_whole)):
        expected = theirs([mel])[0].encoded
        assert relative_error(ours([mel])[0].encoded, expected) < LARGEST_ERROR


def relative_error(ours: torch.Tensor, expected: torch.Tensor) -> float:
    assert ours.shape == expected.shape
    return float((ours.float() - expected).norm() / expected.norm())
