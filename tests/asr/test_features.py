"""Log-mel equals the reference's."""

import pytest
import torch
import whisper.audio

from asr.audio import Samples
from asr.features import WINDOW_SAMPLES, log_mel_spectrogram


@pytest.mark.parametrize("n_mels", [80, 128])
def test_log_mel_equals_the_reference(speech: Samples, n_mels: int) -> None:
    ours = log_mel_spectrogram(speech, n_mels)
    theirs = whisper.audio.log_mel_spectrogram(whisper.audio.pad_or_trim(speech), n_mels)
    assert ours.shape == (n_mels, 3000)
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)


def test_more_than_a_window_is_refused() -> None:
    with pytest.raises(ValueError, match="480000"):
        log_mel_spectrogram(torch.zeros(WINDOW_SAMPLES + 1).numpy(), 80)
