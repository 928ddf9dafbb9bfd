"""Log-mel equals the reference's, as far as the clip reaches and in the silence after it."""

import numpy as np
import pytest
import torch
import whisper.audio

from asr.audio.decode import SAMPLE_RATE, Samples
from asr.audio.features import HOP_LENGTH, WINDOW_SAMPLES, log_mel_spectrogram, mel_filters, padded_to_window
from tests.asr.noises import at_level, coloured


def reference(samples: Samples, n_mels: int) -> torch.Tensor:
    return whisper.audio.log_mel_spectrogram(whisper.audio.pad_or_trim(samples), n_mels)


@pytest.mark.parametrize("n_mels", [80, 128])
def test_mel_filters_equal_those_whisper_was_trained_with(n_mels: int) -> None:
    torch.testing.assert_close(mel_filters(n_mels), whisper.audio.mel_filters("cpu", n_mels), atol=1e-8, rtol=1e-6)


@pytest.mark.parametrize("n_mels", [80, 128])
def test_log_mel_equals_the_reference(speech: Samples, n_mels: int) -> None:
    ours = padded_to_window(log_mel_spectrogram(speech, n_mels))
    assert ours.shape == (n_mels, 3000)
    torch.testing.assert_close(ours, reference(speech, n_mels), atol=1e-4, rtol=0)


@pytest.mark.parametrize("length", [1, 159, 160, 201, SAMPLE_RATE, 47_999, WINDOW_SAMPLES - 1, WINDOW_SAMPLES])
def test_a_clip_of_any_length_equals_the_reference_from_its_first_frame_to_its_last(length: int) -> None:
    noise = at_level(coloured(np.random.default_rng(0), WINDOW_SAMPLES, 1), -20)[:length]
    log_mel = log_mel_spectrogram(noise, 80)
    expected = reference(noise, 80)
    torch.testing.assert_close(padded_to_window(log_mel), expected, atol=1e-4, rtol=0)
    reaches = int((expected > expected.min()).any(dim=0).nonzero().max()) + 1
    assert reaches <= log_mel.shape[1] <= min(length // HOP_LENGTH + 3, 3000)


@pytest.mark.parametrize("level", [0.0, 1e-6])
def test_silence_and_what_is_nearly_so_equal_the_reference(level: float) -> None:
    hiss = np.random.default_rng(0).normal(0, 1, SAMPLE_RATE).astype(np.float32) * np.float32(level)
    ours = padded_to_window(log_mel_spectrogram(hiss, 80))
    torch.testing.assert_close(ours, reference(hiss, 80), atol=1e-4, rtol=0)


def test_more_than_a_window_is_refused() -> None:
    with pytest.raises(ValueError, match="480000"):
        log_mel_spectrogram(torch.zeros(WINDOW_SAMPLES + 1).numpy(), 80)
