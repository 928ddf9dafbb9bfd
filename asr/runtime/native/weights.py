"""Weights and kept frames as the kernels read them. The structures mirror those in `linear.h`."""

from ctypes import Structure, c_int32, c_void_p, sizeof

import torch
from torch import Tensor, nn

from asr.runtime.native.library import Kernels, NativeUnavailable, UnsuitableModel

INT8_MAX = 127
PANEL = 64  # outputs whose weights lie together, frames whose keys and values do
HEAD = 64  # the width of a head that the library is compiled for


def panels(kernels: Kernels, heads: int, frames: int) -> Tensor:
    """Room for the keys, or the values, of so many frames of so many heads."""
    return torch.empty(heads * -(-frames // PANEL) * PANEL * HEAD * kernels.element_size(), dtype=torch.uint8)


class Linear(Structure):
    _fields_ = (
        ("inputs", c_int32),
        ("outputs", c_int32),
        ("weight", c_void_p),
        ("scale", c_void_p),
        ("weight_sum", c_void_p),
        ("bias", c_void_p),
    )


class LayerNorm(Structure):
    _fields_ = (("gain", c_void_p), ("bias", c_void_p))


class Packer:
    """Packs weights for a path's kernels, and keeps in memory what the structures point to."""

    def __init__(self, kernels: Kernels) -> None:
        self._kernels = kernels
        self._kept: list[object] = []

    def linear(self, weight: Tensor, bias: Tensor | None) -> Linear:
        """Weights (outputs, inputs) quantised with one scale for each output."""
        outputs, inputs = weight.shape
        scale = weight.float().abs().amax(dim=1).clamp(min=1e-12) / INT8_MAX
        quantised = (weight / scale[:, None]).round().to(torch.int8).contiguous()
        packed = torch.zeros(-(-outputs // PANEL) * PANEL * inputs, dtype=torch.int8)
        self._kernels.pack_weight(
            c_void_p(quantised.data_ptr()), c_int32(outputs), c_int32(inputs), c_void_p(packed.data_ptr())
        )
        return Linear(
            inputs,
            outputs,
            self.address(packed),
            self.address(scale),
            self.address(quantised.sum(dim=1, dtype=torch.int32)),
            None if bias is None else self.address(bias.float()),
        )

    def frames(self, keys: Tensor, values: Tensor) -> tuple[int, int]:
        """Keys and values (heads, frames, HEAD), laid out in panels."""
        heads, frames, _ = keys.shape
        own = [tensor.float().contiguous() for tensor in (keys, values)]
        packed = [panels(self._kernels, heads, frames) for _ in own]
        addresses = [c_void_p(tensor.data_ptr()) for tensor in (*own, *packed)]
        self._kernels.pack_frames(*addresses[:2], c_int32(heads), c_int32(frames), *addresses[2:])
        return self.address(packed[0]), self.address(packed[1])

    def layer_norm(self, ln: nn.LayerNorm) -> LayerNorm:
        return LayerNorm(self.address(ln.weight.float()), self.address(ln.bias.float()))

    def address(self, tensor: Tensor) -> int:
        """Where the tensor lies, for as long as the packer lives."""
        tensor = tensor.detach().contiguous()
        self._kept.append(tensor)
        return tensor.data_ptr()


def check_mirrors(sizes: tuple[int, ...], *structures: type[Structure]) -> None:
    """Raises NativeUnavailable where a structure is not as large as the library's own, which would be read wrongly."""
    if sizes != tuple(map(sizeof, structures)):
        raise NativeUnavailable("the compiled network is of another version; run: python -m asr.runtime.native.build")


def check_width(state: int, heads: int) -> None:
    """Raises UnsuitableModel where they are of another width."""
    if state != heads * HEAD:
        raise UnsuitableModel(f"the model's heads are {state // heads} wide, not {HEAD}")
