"""The network gives what the reference gives, with the same weights."""

import pytest
import torch

from asr.audio.decode import Samples
from asr.audio.features import log_mel_spectrogram, padded_to_window
from asr.whisper.checkpoints import Checkpoint
from asr.whisper.model import ModelDimensions, Whisper
from tests.asr.reference import random_reference, reference_model

TOLERANCE = 1e-3


def whole_window(samples: Samples, n_mels: int) -> torch.Tensor:
    """A batch of one, (1, n_mels, 3000)."""
    return padded_to_window(log_mel_spectrogram(samples, n_mels))[None]


@pytest.mark.parametrize("name", ["tiny_en", "base"])
@torch.inference_mode()
def test_encoder_and_logits_equal_the_reference(name: str, speech: Samples, request: pytest.FixtureRequest) -> None:
    checkpoint: Checkpoint = request.getfixturevalue(name)
    ours = checkpoint.model
    theirs = reference_model(ours.dims, ours.state_dict())
    mel = whole_window(speech, ours.dims.n_mels)
    tokens = torch.tensor([[*checkpoint.tokenizer.prompt("en"), 1396, 1182, 295, 257]])
    encoded = ours.encoder(mel)
    expected = theirs.encoder(mel)
    torch.testing.assert_close(encoded, expected, atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(ours.decoder(tokens, encoded), theirs.decoder(tokens, expected), atol=TOLERANCE, rtol=0)


# As large-v3-turbo is shaped, but narrow: 128 mel bands, more encoder than decoder layers, one language more.
TURBO_LIKE = ModelDimensions(
    n_mels=128,
    n_audio_ctx=1500,
    n_audio_state=128,
    n_audio_head=2,
    n_audio_layer=6,
    n_vocab=51_866,
    n_text_ctx=448,
    n_text_state=128,
    n_text_head=2,
    n_text_layer=4,
)


@torch.inference_mode()
def test_any_size_fits(speech: Samples) -> None:
    theirs = random_reference(TURBO_LIKE)
    ours = Whisper.from_tensors(TURBO_LIKE, theirs.state_dict())
    mel = whole_window(speech, 128)
    tokens = torch.randint(0, TURBO_LIKE.n_vocab, (1, 12))
    torch.testing.assert_close(ours.decoder(tokens, ours.encoder(mel)), theirs(mel, tokens), atol=TOLERANCE, rtol=0)


@torch.inference_mode()
def test_what_follows_a_token_depends_on_nothing_after_it(tiny_en: Checkpoint) -> None:
    decoder = tiny_en.model.decoder
    encoded = torch.randn(2, 1500, 384)
    tokens = torch.randint(0, 50_000, (2, 10))
    whole, beginning = decoder(tokens, encoded), decoder(tokens[:, :4], encoded)
    assert whole.shape == (2, 10, tiny_en.model.dims.n_vocab)
    torch.testing.assert_close(whole[:, :4], beginning, atol=TOLERANCE, rtol=0)
