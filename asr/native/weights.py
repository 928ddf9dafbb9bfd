"""Weights and kept frames as the library reads them. The structures mirror those in `linear.h`."""

import ctypes
from ctypes import Structure, c_int32, c_void_p

import torch
from torch import Tensor, nn

INT8_MAX = 127
PANEL = 64  # outputs whose weights lie together, frames whose keys and values do
HEAD = 64  # the width of a head that the library is compiled for


def panels(library: ctypes.CDLL, heads: int, frames: int) -> Tensor:
    """Room for the keys, or the values, of so many frames of so many heads: zeros."""
    return torch.zeros(heads * -(-frames // PANEL) * PANEL * HEAD * library.element_size(), dtype=torch.uint8)


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
    """Packs weights for a library, and keeps in memory what the structures point to."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._kept: list[object] = []

    def linear(self, weight: Tensor, bias: Tensor | None) -> Linear:
        """Weights (outputs, inputs) quantised with one scale for each output."""
        outputs, inputs = weight.shape
        scale = weight.float().abs().amax(dim=1).clamp(min=1e-12) / INT8_MAX
        quantised = (weight / scale[:, None]).round().to(torch.int8).contiguous()
        packed = torch.zeros(-(-outputs // PANEL) * PANEL * inputs, dtype=torch.int8)
        self._library.pack_weight(
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
        packed = [panels(self._library, heads, frames) for _ in own]
        addresses = [c_void_p(tensor.data_ptr()) for tensor in (*own, *packed)]
        self._library.pack_frames(*addresses[:2], c_int32(heads), c_int32(frames), *addresses[2:])
        return self.address(packed[0]), self.address(packed[1])

    def layer_norm(self, ln: nn.LayerNorm) -> LayerNorm:
        return LayerNorm(self.address(ln.weight.float()), self.address(ln.bias.float()))

    def address(self, tensor: Tensor) -> int:
        """Where the tensor lies, for as long as the packer lives."""
        tensor = tensor.detach().contiguous()
        self._kept.append(tensor)
        return tensor.data_ptr()
