"""Weights as the library reads them. The structures mirror those in `linear.h`."""

import ctypes
from ctypes import Structure, c_int32, c_void_p

import torch
from torch import Tensor, nn

INT8_MAX = 127
PANEL = 64  # outputs whose weights lie together


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

    def layer_norm(self, ln: nn.LayerNorm) -> LayerNorm:
        return LayerNorm(self.address(ln.weight.float()), self.address(ln.bias.float()))

    def address(self, tensor: Tensor) -> int:
        """Where the tensor lies, for as long as the packer lives."""
        tensor = tensor.detach().contiguous()
        self._kept.append(tensor)
        return tensor.data_ptr()
