"""Models of Whisper's sizes with random weights, to be timed without being downloaded.

Random weights say nothing and never stop: `Ending` ends their texts after as many tokens as a spoken query has.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch

from asr.decoding.stepper import AudioContext, CacheEntry, Choice, Row, Stepper
from asr.whisper.checkpoints import Checkpoint, load_checkpoint
from asr.whisper.encoding import EncodedWindow
from asr.whisper.model import ModelDimensions, Whisper
from asr.whisper.tokenizer import Tokenizer

QUERY = 12  # tokens of a spoken query


def shape(
    state: int, encoder_layers: int, decoder_layers: int, *, n_mels: int = 80, n_vocab: int = 51_865
) -> ModelDimensions:
    heads = state // 64
    return ModelDimensions(
        n_mels=n_mels,
        n_audio_ctx=1500,
        n_audio_state=state,
        n_audio_head=heads,
        n_audio_layer=encoder_layers,
        n_vocab=n_vocab,
        n_text_ctx=448,
        n_text_state=state,
        n_text_head=heads,
        n_text_layer=decoder_layers,
    )


SHAPES = {
    "tiny": shape(384, 4, 4),
    "base": shape(512, 6, 6),
    "small": shape(768, 12, 12),
    "medium": shape(1024, 24, 24),
    "large-v3-turbo": shape(1280, 32, 4, n_mels=128, n_vocab=51_866),
}


class Ending:
    """A stepper's work for texts of QUERY tokens, whatever its weights make of them: sure, and not repeating."""

    def __init__(self, stepper: Stepper, tokenizer: Tokenizer) -> None:
        self.precision = stepper.precision
        self._stepper = stepper
        self._eot = tokenizer.eot
        self._first = len(tokenizer.prompt("en")) - 1  # position whose choice is the first token

    def hear(self, window: EncodedWindow) -> AudioContext:
        return self._stepper.hear(window)

    def begin(self, audio: AudioContext) -> CacheEntry:
        return self._stepper.begin(audio)

    def fork(self, past: CacheEntry, length: int) -> CacheEntry:
        return self._stepper.fork(past, length)

    def release(self, past: CacheEntry) -> None:
        self._stepper.release(past)

    def step(self, rows: Sequence[Row]) -> list[Choice]:
        return [self._ended(row, choice) for row, choice in zip(rows, self._stepper.step(rows), strict=True)]

    def _ended(self, row: Row, choice: Choice) -> Choice:
        said = row.position - self._first
        return replace(choice, token=self._eot if said >= QUERY else 1000 + 37 * said, logprob=0.0)


def with_random_weights(name: str) -> Checkpoint:
    """A model of these shapes; it has the tokens of `base`."""
    like, dims = load_checkpoint("base"), SHAPES[name]
    with torch.device("meta"):
        shapes = Whisper(dims).state_dict()
    tensors = {key: torch.empty(tensor.shape).normal_(std=0.02) for key, tensor in shapes.items()}
    tokenizer = Tokenizer.of(like.tokenizer.bpe, dims)
    return replace(like, name=name, model=Whisper.from_tensors(dims, tensors), tokenizer=tokenizer)
