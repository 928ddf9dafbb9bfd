"""Weights in CTranslate2's `model.bin`, version 6 (as its model converter writes them).

Little-endian: u32 version, string spec, u32 revision, u32 number of variables; each variable is a string name,
u8 rank, u32 per dimension, u8 type, u32 byte count and its bytes. A string is a u16 length, counting the NUL
that closes it, then its bytes.
"""

import struct

import numpy as np
import torch
from torch import Tensor

from asr.errors import CheckpointError
from asr.whisper.model import ModelDimensions
from asr.whisper.weights.format import checked_dimensions

VERSION = 6
HEAD_WIDTH = 64  # of every Whisper; the file does not say it
DTYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}

# CTranslate2's names → the reference's, longest first; `linear_0` and `linear_1` depend on the kind of attention.
RENAMED = {
    "/position_encodings/encodings": "/positional_embedding",
    "/embeddings/weight": "/token_embedding/weight",
    "/self_attention/layer_norm": "/attn_ln",
    "/attention/layer_norm": "/cross_attn_ln",
    "/ffn/layer_norm": "/mlp_ln",
    "encoder/layer_norm": "encoder/ln_post",
    "decoder/layer_norm": "decoder/ln",
    "/ffn/linear_0": "/mlp/0",
    "/ffn/linear_1": "/mlp/2",
    "/self_attention/linear_0": "/attn/query+key+value",
    "/self_attention/linear_1": "/attn/out",
    "/attention/linear_0": "/cross_attn/query",
    "/attention/linear_1": "/cross_attn/key+value",
    "/attention/linear_2": "/cross_attn/out",
    "/layer_": "/blocks/",
    "/gamma": "/weight",
    "/beta": "/bias",
}


def read_tensors(data: memoryview) -> dict[str, Tensor]:
    """Every tensor of a `model.bin`, float32, under the reference's names.

    Raises CheckpointError for another version of the format, and for a damaged file.
    """
    try:
        return _read(_Reader(data))
    except (struct.error, ValueError, KeyError) as error:
        raise CheckpointError(f"model.bin is damaged: {error!r}. Fetch it again.") from error


def _read(reader: "_Reader") -> dict[str, Tensor]:
    if (version := reader.number("I")) != VERSION:
        raise CheckpointError(f"model.bin has version {version} of CTranslate2's format; version {VERSION} is read.")
    reader.string()  # the spec's name
    reader.number("I")  # the spec's revision
    tensors: dict[str, Tensor] = {}
    for _ in range(reader.number("I")):
        name = reader.string()
        tensors.update(_renamed(name, reader.array()))
    return tensors


def dimensions(tensors: dict[str, Tensor]) -> ModelDimensions:
    """The sizes of a model, read off its tensors. Raises CheckpointError where those are no Whisper's."""
    try:
        stated = _sizes(tensors)
    except (KeyError, ValueError, IndexError) as error:
        raise CheckpointError(f"model.bin has not the tensors of a Whisper: {error!r}.") from error
    return checked_dimensions(list(stated.items()), "model.bin")


def _sizes(tensors: dict[str, Tensor]) -> dict[str, int]:
    """By the names, and in the order, of ModelDimensions."""
    n_audio_ctx, n_audio_state = tensors["encoder.positional_embedding"].shape
    n_text_ctx, n_text_state = tensors["decoder.positional_embedding"].shape
    return {
        "n_mels": tensors["encoder.conv1.weight"].shape[1],
        "n_audio_ctx": n_audio_ctx,
        "n_audio_state": n_audio_state,
        "n_audio_head": n_audio_state // HEAD_WIDTH,
        "n_audio_layer": sum(name.startswith("encoder.") and name.endswith("mlp_ln.bias") for name in tensors),
        "n_vocab": tensors["decoder.token_embedding.weight"].shape[0],
        "n_text_ctx": n_text_ctx,
        "n_text_state": n_text_state,
        "n_text_head": n_text_state // HEAD_WIDTH,
        "n_text_layer": sum(name.startswith("decoder.") and name.endswith("mlp_ln.bias") for name in tensors),
    }


def _renamed(name: str, array: Tensor) -> dict[str, Tensor]:
    """One variable under the reference's name, or several where projections are stacked."""
    if array.ndim == 0:
        return {}  # a flag of the runtime, such as the number of heads
    for theirs, ours in RENAMED.items():
        name = name.replace(theirs, ours)
    name = name.replace("/", ".")
    if "+" not in name:
        return {name: array}
    stem, _, leaf = name.rpartition(".")
    stem, _, stacked = stem.rpartition(".")
    projections = stacked.split("+")
    parts = dict(zip(projections, array.chunk(len(projections)), strict=True))
    if leaf == "bias":
        del parts["key"]  # always zero: Whisper's keys have no bias
    return {f"{stem}.{projection}.{leaf}": part for projection, part in parts.items()}


class _Reader:
    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._offset = 0

    def number(self, kind: str) -> int:
        (value,) = struct.unpack_from("<" + kind, self._data, self._offset)
        self._offset += struct.calcsize("<" + kind)
        return int(value)

    def string(self) -> str:
        return self._bytes(self.number("H"))[:-1].tobytes().decode()

    def array(self) -> Tensor:
        shape = [self.number("I") for _ in range(self.number("B"))]
        dtype = DTYPES[self.number("B")]
        values = np.frombuffer(self._bytes(self.number("I")), dtype)
        return torch.from_numpy(values.astype(np.float32).reshape(shape))

    def _bytes(self, count: int) -> memoryview:
        start, self._offset = self._offset, self._offset + count
        if self._offset > len(self._data):
            raise ValueError("it ends too early")
        return self._data[start : self._offset]
