"""The native decoder's arithmetic spelt out in PyTorch: slow, and plainly right."""

from copy import deepcopy

import torch
from torch import Tensor, nn

from asr.model import TextDecoder


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


class BFloat16Linear(nn.Module):
    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.linear = deepcopy(linear).bfloat16()

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.bfloat16()).float()


class Int8Decoder:
    """`TextDecoder` with the roundings of the native one; keys and values of the audio are bfloat16."""

    def __init__(self, decoder: TextDecoder) -> None:
        self.decoder = deepcopy(decoder)
        self.logits = Int8Linear(decoder.token_embedding.weight, None)
        for block in self.decoder.blocks:
            for name in ("attn.query", "attn.key", "attn.value", "attn.out", "cross_attn.query", "cross_attn.out"):
                linear = block.get_submodule(name)
                block.set_submodule(name, Int8Linear(linear.weight, linear.bias))
            for name in ("mlp.0", "mlp.2"):
                linear = block.get_submodule(name)
                block.set_submodule(name, Int8Linear(linear.weight, linear.bias))
            for name in ("cross_attn.key", "cross_attn.value"):
                block.set_submodule(name, BFloat16Linear(block.get_submodule(name)))
        self.decoder.ln.register_forward_hook(self._keep)

    def _keep(self, _: nn.Module, __: object, output: Tensor) -> None:
        self.last = output

    @torch.inference_mode()
    def __call__(self, tokens: Tensor, encoded: Tensor) -> Tensor:
        """Logits (batch, n, n_vocab) for whole texts (batch, n)."""
        self.decoder(tokens, encoded)
        return self.logits(self.last)
