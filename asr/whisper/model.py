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
        """Let x, shape (batch, n, state), attend to keys and values.

        `mask` is True where it may look, or is added to the scores.
        """
        return self.joined(attention(self.queries(x), keys, values, mask))

    def queries(self, x: Tensor) -> Tensor:
        """(batch, n, state) → (batch, heads, n, head_dim)."""
        return self._split(self.query(x))

    def joined(self, attended: Tensor) -> Tensor:
        """What every head attended to, (batch, heads, n, head_dim) → (batch, n, state)."""
        return cast(Tensor, self.out(attended.transpose(1, 2).flatten(start_dim=2)))

    def _split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], self.n_head, -1).transpose(1, 2)


def attention(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    """Scaled dot-product attention, (batch, heads, n, head_dim); `mask` as in torch's own."""
    if query.dtype is torch.bfloat16 and query.device.type == "cpu" and (mask is None or mask.dtype is query.dtype):
        # Torch's own multiplies in float32 there: two matrix products by themselves take half the time.
        scores = (query * query.shape[-1] ** -0.5) @ keys.transpose(2, 3)
        weights = (scores if mask is None else scores + mask).softmax(dim=-1)
        return cast(Tensor, weights @ values)
    return functional.scaled_dot_product_attention(query, keys, values, mask)


class EncoderBlock(nn.Module):
    def __init__(self, n_state: int, n_head: int) -> None:
        super().__init__()
        self.attn = MultiHeadAttention(n_state, n_head)
        self.attn_ln = nn.LayerNorm(n_state)
        self.mlp = feed_forward(n_state)
        self.mlp_ln = nn.LayerNorm(n_state)

    def keys_values(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What others attend to when they attend to x, (batch, frames, state)."""
        return self.attn.keys_values(self.attn_ln(x))

    def forward(self, x: Tensor, beyond: tuple[Tensor, Tensor, Tensor] | None = None) -> Tensor:
        """x, (batch, frames, state), attends to itself; and to keys and values `beyond` it, if there are any.

        Third beyond are the biases of all scores, (frames + frames beyond,).
        """
        normed = self.attn_ln(x)
        keys, values = self.attn.keys_values(normed)
        bias = None
        if beyond is not None:
            keys, values = torch.cat((keys, beyond[0]), dim=2), torch.cat((values, beyond[1]), dim=2)
            bias = beyond[2][None, None, None]
        x = x + self.attn(normed, keys, values, bias)
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

    def forward(self, x: Tensor, encoded: Tensor, causal: Tensor) -> Tensor:
        """x, (batch, n, state), attends to itself where `causal` (n, n) is True, and to the encoded audio."""
        normed = self.attn_ln(x)
        x = x + self.attn(normed, *self.attn.keys_values(normed), causal)
        x = x + self.cross_attn(self.cross_attn_ln(x), *self.cross_attn.keys_values(encoded))
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

    def embed(self, mel: Tensor) -> Tensor:
        """Log-mel (batch, n_mels, 2 × frames) → what the first block reads, (batch, frames, n_audio_state)."""
        x = functional.gelu(self.conv1(mel))
        x = functional.gelu(self.conv2(x))
        return x.transpose(1, 2) + self.positional_embedding[: x.shape[2]]

    def forward(self, mel: Tensor) -> Tensor:
        """Log-mel (batch, n_mels, 2 × n_audio_ctx) → encoded audio (batch, n_audio_ctx, n_audio_state)."""
        x = self.embed(mel)
        for block in self.blocks:
            x = block(x)
        return cast(Tensor, self.ln_post(x))


class TextDecoder(nn.Module):
    def __init__(self, dims: ModelDimensions) -> None:
        super().__init__()
        self.dims = dims
        # Given a weight it draws no random numbers: on no device PyTorch imports its compiler for that, for a second.
        weight = torch.empty(dims.n_vocab, dims.n_text_state)
        self.token_embedding = nn.Embedding(dims.n_vocab, dims.n_text_state, _weight=weight)
        self.positional_embedding = nn.Parameter(torch.empty(dims.n_text_ctx, dims.n_text_state))
        self.blocks = nn.ModuleList(DecoderBlock(dims.n_text_state, dims.n_text_head) for _ in range(dims.n_text_layer))
        self.ln = nn.LayerNorm(dims.n_text_state)

    def forward(self, tokens: Tensor, encoded: Tensor) -> Tensor:
        """What follows each token of whole texts, (batch, n), about encoded audio, (batch, frames, n_audio_state).

        Gives logits, float32, (batch, n, n_vocab). Texts in the making are read a step at a time:
        `asr.decoding.stepper`.
        """
        n = tokens.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tokens.device).tril()
        x = self.token_embedding(tokens) + self.positional_embedding[:n]
        for block in self.blocks:
            x = block(x, encoded, causal)
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
