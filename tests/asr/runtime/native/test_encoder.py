"""The encoder in int8 says what the plain one says, for clips of every length and on every kind of processor."""

import numpy as np
import pytest
import torch

from asr.audio.decode import SAMPLE_RATE, Samples
from asr.audio.features import log_mel_spectrogram
from asr.runtime.choose import Backend
from asr.runtime.native.encoder import NativeEncoder
from asr.whisper.checkpoints import Checkpoint
from asr.whisper.encoding import Encoder
from tests.asr.conftest import KERNELS

LARGEST_ERROR = 0.1  # of the encoded audio, relative; 0.03 to 0.06 were measured


@pytest.fixture(scope="module", params=KERNELS)
def native(request: pytest.FixtureRequest, tiny_en: Checkpoint) -> Encoder:
    return NativeEncoder(tiny_en.model.encoder, KERNELS[request.param], convolutions=torch.float32)


@pytest.fixture(scope="module")
def plain(tiny_en: Checkpoint) -> Encoder:
    return Backend.plain(tiny_en, threads=1).encoder


@pytest.mark.parametrize("seconds", [0.5, 3.0, 29.2, 29.36, 29.5, 30.0])
def test_clips_of_every_length_are_encoded_alike(
    native: Encoder, plain: Encoder, speech: Samples, seconds: float
) -> None:
    """Nothing lies beyond a clip that fills its window: from 29.3 s on that once broke."""
    samples = np.tile(speech, 12)[: round(seconds * SAMPLE_RATE)]
    mel = log_mel_spectrogram(samples, 80)
    assert relative_error(native.encode([mel])[0].encoded, plain.encode([mel])[0].encoded) < LARGEST_ERROR


def test_whole_windows_are_encoded_alike(native: Encoder, plain: Encoder, speech: Samples) -> None:
    mel = log_mel_spectrogram(speech, 80)
    expected = plain.encode_whole([mel])[0].encoded
    assert relative_error(native.encode_whole([mel])[0].encoded, expected) < LARGEST_ERROR


def relative_error(ours: torch.Tensor, expected: torch.Tensor) -> float:
    assert ours.shape == expected.shape
    return float((ours.float() - expected).norm() / expected.norm())
