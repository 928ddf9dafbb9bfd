"""The audio encoder in int8 on the CPU: `encoder.c` for all but the convolutions, which are PyTorch's."""

from copy import deepcopy
from ctypes import POINTER, Structure, byref, c_float, c_int32, c_void_p
from typing import cast

import torch
from torch import Tensor, nn

from asr.runtime.native.library import Kernels
from asr.runtime.native.weights import HEAD, LayerNorm, Linear, Packer, check_mirrors, check_width
from asr.whisper.encoding import SILENT_BIAS, Encoder, VirtualSilence
from asr.whisper.model import AudioEncoder, EncoderBlock


class _Block(Structure):
    _fields_ = (
        ("attn_ln", LayerNorm),
        ("query_key_value", Linear),
        ("attn_out", Linear),
        ("mlp_ln", LayerNorm),
        ("mlp_in", Linear),
        ("mlp_out", Linear),
    )


class _Encoder(Structure):
    _fields_ = (
        ("state", c_int32),
        ("heads", c_int32),
        ("layers", c_int32),
        ("blocks", POINTER(_Block)),
        ("ln_post", LayerNorm),
        ("silent_frames", c_int32),
        ("silent_keys", c_void_p),
        ("silent_values", c_void_p),
        ("silent_bias", c_float),
    )


class NativeEncoder(Encoder):
    """`asr.whisper.encoding.Encoder` in int8, its convolutions in `convolutions`, with as many threads as PyTorch
    takes.

    The silence is encoded by the plain network. Raises UnsuitableModel for a model that the kernels are not made for.
    """

    def __init__(
        self,
        encoder: AudioEncoder,
        kernels: Kernels,
        convolutions: torch.dtype,
        silence: VirtualSilence | None = None,
    ) -> None:
        super().__init__(encoder, silence=silence)
        check_mirrors(kernels.sizes("encoder_sizes", 2), _Encoder, _Block)
        self.precision = f"int8 ({kernels.path})"
        self.encoder = _only_convolutions(encoder).to(convolutions)
        self._kernels = kernels
        self._packer = Packer(kernels)
        self._packed = self._pack(encoder)

    def _through_blocks(self, x: Tensor) -> Tensor:
        x = x.float().contiguous()
        frames, silent_from = c_int32(x.shape[1]), c_int32(self.silence.after(x.shape[1]))
        threads = c_int32(torch.get_num_threads())
        for clip in x:
            if self._kernels.encoder_run(byref(self._packed), frames, c_void_p(clip.data_ptr()), silent_from, threads):
                raise MemoryError("there is no memory for the encoder")
        return x

    def _pack(self, encoder: AudioEncoder) -> _Encoder:
        blocks = [block for block in encoder.blocks if isinstance(block, EncoderBlock)]
        state, heads = encoder.conv1.out_channels, blocks[0].attn.n_head
        check_width(state, heads)
        self._blocks = (_Block * len(blocks))(*map(self._packed_block, blocks))
        silent_keys, silent_values = (
            torch.cat(kept).flatten(0, 1) for kept in (self.silence.keys, self.silence.values)
        )
        return _Encoder(
            state,
            heads,
            len(blocks),
            self._blocks,
            self._packer.layer_norm(encoder.ln_post),
            self.silence.kept,
            *self._packer.frames(silent_keys, silent_values),
            SILENT_BIAS,
        )

    def _packed_block(self, block: EncoderBlock) -> _Block:
        attn = block.attn
        mlp_in, mlp_out = cast(nn.Linear, block.mlp[0]), cast(nn.Linear, block.mlp[2])
        weight = torch.cat((attn.query.weight * HEAD**-0.5, attn.key.weight, attn.value.weight))
        bias = torch.cat((attn.query.bias * HEAD**-0.5, torch.zeros_like(attn.query.bias), attn.value.bias))
        return _Block(
            self._packer.layer_norm(block.attn_ln),
            self._packer.linear(weight, bias),
            self._packer.linear(attn.out.weight, attn.out.bias),
            self._packer.layer_norm(block.mlp_ln),
            self._packer.linear(mlp_in.weight, mlp_in.bias),
            self._packer.linear(mlp_out.weight, mlp_out.bias),
        )


def _only_convolutions(encoder: AudioEncoder) -> AudioEncoder:
    blocks, encoder.blocks = encoder.blocks, nn.ModuleList()
    try:
        return deepcopy(encoder)
    finally:
        encoder.blocks = blocks
