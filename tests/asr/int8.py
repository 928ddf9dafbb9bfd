"""The native decoder's arithmetic spelt out in PyTorch: slow, and plainly right."""

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor, nn

from asr.whisper.model import MultiHeadAttention, TextDecoder


def relative_error(ours: Tensor, theirs: Tensor) -> Tensor:
    """Of logits (n, n_vocab), by row; what a row's logits have in common changes no probability, and is left out."""
    ours, theirs = (logits - logits.mean(dim=-1, keepdim=True) for logits in (ours, theirs))
    return (ours - theirs).norm(dim=-1) / theirs.norm(dim=-1)


def in_uint8(x: Tensor) -> Tensor:
    """Activations rounded to 256 levels between the row's least, or nought, and its greatest."""
    low, high = x.amin(-1, keepdim=True).clamp(max=0), x.amax(-1, keepdim=True).clamp(min=0)
    scale = (high - low) / 255
    zero = (-low / scale).round()
    return ((x / scale + zero + 0.5).clamp(max=255).floor() - zero) * scale


class Int8Linear(nn.Module):
    """Weights rounded to 255 levels around nought, for each output."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        scale = weight.abs().amax(dim=1, keepdim=True) / 127
        self.weight, self.bias = (weight / scale).round() * scale, bias

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(in_uint8(x), self.weight, self.bias)


Rounding = Callable[[Tensor], Tensor]


def in_float32(x: Tensor) -> Tensor:
    return x


def in_float16(x: Tensor) -> Tensor:
    return x.half().float()


def in_bfloat16(x: Tensor) -> Tensor:
    return x.bfloat16().float()


class RoundedAttention(MultiHeadAttention):
    """`kept` rounds keys and values, `asked` queries and weights; sums and products are not rounded."""

    kept: Rounding
    asked: Rounding

    def keys_values(self, x: Tensor) -> tuple[Tensor, Tensor]:
        keys, values = super().keys_values(x)
        return self.kept(keys), self.kept(values)

    def forward(self, x: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> Tensor:
        assert mask is None
        scores = self.asked(self._split(self.query(x)) * keys.shape[-1] ** -0.5) @ keys.transpose(2, 3)
        weights = (scores - scores.amax(-1, keepdim=True)).exp()
        attended = self.asked(weights) @ values / weights.sum(-1, keepdim=True)
        return self.out(attended.transpose(1, 2).flatten(start_dim=2))


class Int8Decoder:
    """`TextDecoder` with the roundings of a native one; `attention` has those of `RoundedAttention`."""

    def __init__(self, decoder: TextDecoder, attention: tuple[Rounding, Rounding]) -> None:
        self.decoder = deepcopy(decoder)
        self.logits = Int8Linear(decoder.token_embedding.weight, None)
        for block in self.decoder.blocks:
            block.cross_attn.__class__ = RoundedAttention
            block.cross_attn.kept, block.cross_attn.asked = attention
            linears = [name for name, module in block.named_modules() if isinstance(module, nn.Linear)]
            for name in linears:
                linear = block.get_submodule(name)
                block.set_submodule(name, Int8Linear(linear.weight, linear.bias))
        self.decoder.ln.register_forward_hook(self._keep)

    def _keep(self, _: nn.Module, __: object, output: Tensor) -> None:
        self.last = output

    @torch.inference_mode()
    def __call__(self, tokens: Tensor, encoded: Tensor) -> Tensor:
        """Logits (batch, n, n_vocab) for whole texts (batch, n)."""
        self.decoder(tokens, encoded)
        return self.logits(self.last)
