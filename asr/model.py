"""The Whisper network (Radford et al. 2022, figure 1): an audio encoder and a text decoder, in plain PyTorch.

Names follow the reference implementation, so that its checkpoints load as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class ModelDimensions:
    """The sizes that tell one Whisper from another."""

    n_mels: int
    n_audio_ctx: int
    n_audio_state: int
    n_audio_head: int
    n_audio_layer: int
    n_vocab: int
    n_text_ctx: int
    n_text_state: int
    n_text_head: int
    n_text_layer: int

    @property
    def is_multilingual(self) -> bool:
        return self.n_vocab >= 51_865

    @property
    def n_languages(self) -> int:
        """The vocabulary holds 51,765 entries that are no language in the English models, one more in others."""
        return self.n_vocab - 51_765 - int(self.is_multilingual)


@dataclass
class KeyValueCache:
    """Keys and values that a decoder keeps between steps, one tensor a layer.

    `self_keys` and `self_values` have the shape (batch, heads, n_text_ctx, head_dim): what each sequence
    has read so far. `cross_keys` and `cross_values` have the shape (batch, heads, n_audio_ctx, head_dim).
    """

    self_keys: list[Tensor]
    self_values: list[Tensor]
    cross_keys: list[Tensor]
    cross_values: list[Tensor]

    def expand(self, batch: int) -> "KeyValueCache":
        """The cache of one sequence, made ready for `batch` sequences that go on from it separately."""

        def repeated(tensors: list[Tensor]) -> list[Tensor]:
            return [tensor.repeat(batch, 1, 1, 1) for tensor in tensors]

        def shared(tensors: list[Tensor]) -> list[Tensor]:
            return [tensor.expand(batch, -1, -1, -1) for tensor in tensors]

        return KeyValueCache(
            repeated(self.self_keys),
            repeated(self.self_values),
            shared(self.cross_keys),
            shared(self.cross_values),
        )


class MultiHeadAttention(nn.Module):
    """Scaled dot-product attention over heads of the same width; keys have no bias."""

    def __init__(self, n_state: int, n_head: int) -> None:
        super().__init__()
        self.n_head = n_head
        self.query = nn.Linear(n_state, n_state)
        self.key = nn.Linear(n_state, n_state, bias=False)
        self.value = nn.Linear(n_state, n_state)
        self.out = nn.Linear(n_state, n_state)

    def keys_values(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, frames, state) → keys and values, each (batch, heads, frames, head_dim)."""
        return self._split(self.key(x)), self._split(self.value(x))

    def forward(self, x: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> Tensor:
        """Let x, shape (batch, n, state), attend to keys and values; `mask` is True where it may look."""
        attended = functional.scaled_dot_product_attention(self._split(self.query(x)), keys, values, mask)
        return cast(Tensor, self.out(attended.transpose(1, 2).flatten(start_dim=2)))

    def _split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], self.n_head, -1).transpose(1, 2)


class EncoderBlock(nn.Module):
    def __init__(self, n_state: int, n_head: int) -> None:
        super().__init__()
        self.attn = MultiHeadAttention(n_state, n_head)
        self.attn_ln = nn.LayerNorm(n_state)
        self.mlp = feed_forward(n_state)
        self.mlp_ln = nn.LayerNorm(n_state)

    def forward(self, x: Tensor) -> Tensor:
        normed = self.attn_ln(x)
        x = x + self.attn(normed, *self.attn.keys_values(normed))
        return cast(Tensor, x + self.mlp(self.mlp_ln(x)))


class DecoderBlock(nn.Module):
    def __init__(self, n_state: int, n_head: int) -> None:
        super().__init__()
        self.attn = MultiHeadAttention(n_state, n_head)
        self.attn_ln = nn.LayerNorm(n_state)
        self.cross_attn = MultiHeadAttention(n_state, n_head)
        self.cross_attn_ln = nn.LayerNorm(n_state)
        self.mlp = feed_forward(n_state)
        self.mlp_ln = nn.LayerNorm(n_state)

    def forward(self, x: Tensor, at: "StepPositions", cache: KeyValueCache, layer: int) -> Tensor:
        normed = self.attn_ln(x)
        keys, values = self.attn.keys_values(normed)
        past_keys, past_values = cache.self_keys[layer], cache.self_values[layer]
        past_keys[at.rows, :, at.positions] = keys.transpose(1, 2)
        past_values[at.rows, :, at.positions] = values.transpose(1, 2)
        x = x + self.attn(normed, past_keys[:, :, : at.end], past_values[:, :, : at.end], at.mask)
        x = x + self.cross_attn(self.cross_attn_ln(x), cache.cross_keys[layer], cache.cross_values[layer])
        return cast(Tensor, x + self.mlp(self.mlp_ln(x)))


def feed_forward(n_state: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(n_state, 4 * n_state), nn.GELU(), nn.Linear(4 * n_state, n_state))


class AudioEncoder(nn.Module):
    positional_embedding: Tensor

    def __init__(self, dims: ModelDimensions) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(dims.n_mels, dims.n_audio_state, kernel_size=3, padding=1)
        self.conv2 = nn.Conv1d(dims.n_audio_state, dims.n_audio_state, kernel_size=3, stride=2, padding=1)
        self.register_buffer("positional_embedding", torch.empty(dims.n_audio_ctx, dims.n_audio_state))
        self.blocks = nn.ModuleList(
            EncoderBlock(dims.n_audio_state, dims.n_audio_head) for _ in range(dims.n_audio_layer)
        )
        self.ln_post = nn.LayerNorm(dims.n_audio_state)

    def forward(self, mel: Tensor) -> Tensor:
        """Log-mel (batch, n_mels, 2 × n_audio_ctx) → encoded audio (batch, n_audio_ctx, n_audio_state)."""
        x = functional.gelu(self.conv1(mel))
        x = functional.gelu(self.conv2(x))
        x = x.transpose(1, 2) + self.positional_embedding
        for block in self.blocks:
            x = block(x)
        return cast(Tensor, self.ln_post(x))


@dataclass(frozen=True)
class StepPositions:
    """Where in its sequence each token of a step stands, and what it may look at.

    `rows` (batch, 1) and `positions` (batch, n) index the cache, `end` is one past the furthest position,
    and `mask` (batch, 1, n, end) is True where a token may look: at itself and what came before.
    """

    rows: Tensor
    positions: Tensor
    end: int
    mask: Tensor

    @classmethod
    def of(cls, tokens: Tensor, starts: list[int]) -> "StepPositions":
        batch, n = tokens.shape
        positions = torch.tensor(starts)[:, None] + torch.arange(n)
        end = max(starts) + n
        mask = (torch.arange(end) <= positions[:, :, None])[:, None]
        rows = torch.arange(batch)[:, None]
        device = tokens.device
        return cls(rows.to(device), positions.to(device), end, mask.to(device))


class TextDecoder(nn.Module):
    def __init__(self, dims: ModelDimensions) -> None:
        super().__init__()
        self.dims = dims
        self.token_embedding = nn.Embedding(dims.n_vocab, dims.n_text_state)
        self.positional_embedding = nn.Parameter(torch.empty(dims.n_text_ctx, dims.n_text_state))
        self.blocks = nn.ModuleList(DecoderBlock(dims.n_text_state, dims.n_text_head) for _ in range(dims.n_text_layer))
        self.ln = nn.LayerNorm(dims.n_text_state)

    def start(self, encoded: Tensor) -> KeyValueCache:
        """A fresh cache for encoded audio of shape (batch, n_audio_ctx, n_audio_state)."""
        blocks = cast(list[DecoderBlock], list(self.blocks))
        cross = [block.cross_attn.keys_values(encoded) for block in blocks]
        heads, width = self.dims.n_text_head, self.dims.n_text_state // self.dims.n_text_head
        shape = (len(encoded), heads, self.dims.n_text_ctx, width)
        return KeyValueCache(
            self_keys=[encoded.new_zeros(shape) for _ in blocks],
            self_values=[encoded.new_zeros(shape) for _ in blocks],
            cross_keys=[keys for keys, _ in cross],
            cross_values=[values for _, values in cross],
        )

    def forward(self, tokens: Tensor, starts: list[int], cache: KeyValueCache) -> Tensor:
        """Read tokens (batch, n), sequence i from position `starts[i]` on, into the cache.

        Gives the logits of what follows each token, float32, shape (batch, n, n_vocab).
        """
        at = StepPositions.of(tokens, starts)
        x = self.token_embedding(tokens) + self.positional_embedding[at.positions]
        for layer, block in enumerate(self.blocks):
            x = block(x, at, cache, layer)
        return functional.linear(self.ln(x), self.token_embedding.weight).float()


class Whisper(nn.Module):
    """An encoder and a decoder of the given dimensions, weights not yet set."""

    def __init__(self, dims: ModelDimensions) -> None:
        super().__init__()
        self.dims = dims
        self.encoder = AudioEncoder(dims)
        self.decoder = TextDecoder(dims)

    @classmethod
    def from_tensors(cls, dims: ModelDimensions, tensors: Mapping[str, Tensor]) -> "Whisper":
        """A network with these weights, ready to run. Raises RuntimeError when a name or a shape does not fit."""
        with torch.device("meta"):
            model = cls(dims)
        model.load_state_dict(tensors, assign=True)
        return model.eval().requires_grad_(False)
