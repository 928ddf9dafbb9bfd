"""The network gives what the reference gives, with the same weights."""

import pytest
import torch

from asr.audio import Samples
from asr.checkpoints import Checkpoint
from asr.features import log_mel_spectrogram
from asr.model import ModelDimensions, Whisper
from tests.asr.reference import random_reference, reference_model

TOLERANCE = 1e-3


@pytest.mark.parametrize("name", ["tiny_en", "base"])
@torch.inference_mode()
def test_encoder_and_logits_equal_the_reference(name: str, speech: Samples, request: pytest.FixtureRequest) -> None:
    checkpoint: Checkpoint = request.getfixturevalue(name)
    ours = checkpoint.model
    theirs = reference_model(ours.dims, ours.state_dict())
    mel = log_mel_spectrogram(speech, ours.dims.n_mels)[None]
    tokens = torch.tensor([[*checkpoint.tokenizer.prompt("en"), 1396, 1182, 295, 257]])
    encoded = ours.encoder(mel)
    expected = theirs.encoder(mel)
    torch.testing.assert_close(encoded, expected, atol=TOLERANCE, rtol=0)
    logits = ours.decoder(tokens, [0], ours.decoder.start(encoded))
    torch.testing.assert_close(logits, theirs.decoder(tokens, expected), atol=TOLERANCE, rtol=0)


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
    mel = log_mel_spectrogram(speech, 128)[None]
    tokens = torch.randint(0, TURBO_LIKE.n_vocab, (1, 12))
    expected = theirs(mel, tokens)
    logits = ours.decoder(tokens, [0], ours.decoder.start(ours.encoder(mel)))
    torch.testing.assert_close(logits, expected, atol=TOLERANCE, rtol=0)


@torch.inference_mode()
def test_reading_token_by_token_equals_reading_at_once(tiny_en: Checkpoint) -> None:
    decoder = tiny_en.model.decoder
    encoded = torch.randn(1, 1500, 384)
    tokens = torch.randint(0, 50_000, (1, 10))
    at_once = decoder(tokens, [0], decoder.start(encoded))
    cache = decoder.start(encoded)
    one_by_one = [decoder(tokens[:, i : i + 1], [i], cache) for i in range(10)]
    torch.testing.assert_close(torch.cat(one_by_one, dim=1), at_once, atol=TOLERANCE, rtol=0)


@torch.inference_mode()
def test_sequences_of_different_lengths_share_a_batch(tiny_en: Checkpoint) -> None:
    """Row i goes on from its own position, over what an earlier sequence left behind it in the cache."""
    decoder = tiny_en.model.decoder
    encoded = torch.randn(1, 1500, 384)
    tokens = torch.randint(0, 50_000, (1, 10))
    cache = decoder.start(encoded)
    decoder(tokens, [0], cache)
    shared = decoder(torch.tensor([[7], [8]]), [4, 9], cache.expand(2))
    for row, (token, position) in enumerate([(7, 4), (8, 9)]):
        alone = torch.cat([tokens[:, :position], torch.tensor([[token]])], dim=1)
        expected = decoder(alone, [0], decoder.start(encoded))[:, -1]
        torch.testing.assert_close(shared[row : row + 1, -1], expected, atol=TOLERANCE, rtol=0)
