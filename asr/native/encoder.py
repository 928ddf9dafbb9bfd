"""The audio encoder in int8 on the CPU: `encoder.c` for all but the attention, which is PyTorch's, in bfloat16."""

import ctypes
from collections.abc import Sequence
from ctypes import Structure, byref, c_int32, c_void_p
from typing import cast

import torch
from torch import Tensor

from asr.model import EncoderBlock
from asr.native.weights import LayerNorm, Linear, Packer

MAX_SCORES = 1 << 20  # of attention in memory at once: as much as the processor's caches hold


class _Block(Structure):
    _fields_ = (
        ("state", c_int32),
        ("heads", c_int32),
        ("attn_ln", LayerNorm),
        ("query_key_value", Linear),
        ("attn_out", Linear),
        ("mlp_ln", LayerNorm),
        ("mlp_in", Linear),
        ("mlp_out", Linear),
    )


class NativeBlock:
    """An encoder block as `asr.model.EncoderBlock`, for one clip at a time, with as many threads as PyTorch takes."""

    def __init__(self, block: EncoderBlock, library: ctypes.CDLL) -> None:
        attn = block.attn
        self._library = library
        self._heads = attn.n_head
        self._packer = Packer(library)
        mlp_in, _, mlp_out = cast(Sequence[torch.nn.Linear], block.mlp)
        scale = (attn.query.in_features // attn.n_head) ** -0.5  # of the attention's scores
        weight = torch.cat((attn.query.weight * scale, attn.key.weight, attn.value.weight))
        bias = torch.cat((attn.query.bias * scale, torch.zeros_like(attn.query.bias), attn.value.bias))
        self._block = _Block(
            attn.query.in_features,
            attn.n_head,
            self._packer.layer_norm(block.attn_ln),
            self._packer.linear(weight, bias),
            self._packer.linear(attn.out.weight, attn.out.bias),
            self._packer.layer_norm(block.mlp_ln),
            self._packer.linear(mlp_in.weight, mlp_in.bias),
            self._packer.linear(mlp_out.weight, mlp_out.bias),
        )

    def __call__(self, x: Tensor, beyond: tuple[Tensor, Tensor, Tensor] | None = None) -> Tensor:
        """x, (1, frames, state), becomes float32 and is then worked on in place; `beyond` as in `EncoderBlock`."""
        x, frames = x.float().contiguous(), x.shape[1]
        projected = torch.empty(3, self._heads, frames, x.shape[2] // self._heads, dtype=torch.bfloat16)
        self._run("encoder_project", frames, x, projected)
        queries, keys, values = projected
        if beyond is not None:
            keys, values = (
                torch.cat((keys, beyond[0][0].to(keys)), dim=1),
                torch.cat((values, beyond[1][0].to(values)), dim=1),
            )
        at_once = max(1, MAX_SCORES // (frames * keys.shape[1]))
        attended = [
            _attended(*heads, None if beyond is None else beyond[2][frames:])
            for heads in zip(queries.split(at_once), keys.split(at_once), values.split(at_once), strict=True)
        ]
        self._run("encoder_finish", frames, x, torch.cat(attended))
        return x

    def _run(self, half: str, frames: int, x: Tensor, others: Tensor) -> None:
        addresses = [c_void_p(tensor.data_ptr()) for tensor in (x, others)]
        if getattr(self._library, half)(
            byref(self._block), c_int32(frames), *addresses, c_int32(torch.get_num_threads())
        ):
            raise MemoryError("there is no memory for the encoder")


def _attended(queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None) -> Tensor:
    """Some heads' queries (heads, frames, width) looking at keys and values; `bias` is added to the last scores."""
    scores = queries @ keys.transpose(1, 2)
    if bias is not None and len(bias):  # a full window has nothing beyond it
        scores[..., -len(bias) :] += bias
    return scores.softmax(dim=-1) @ values
