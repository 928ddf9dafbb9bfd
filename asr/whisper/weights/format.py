"""Whisper weights in the formats they are published in → one form: `Weights`, with the reference's tensor names.

`ctranslate2` reads the packaged models, `huggingface` local folders and hub snapshots, `openai` the original
`.pt` files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import tokenizers
import torch
from torch import Tensor

from asr.errors import CheckpointError
from asr.whisper.model import ModelDimensions, Whisper

MAX_LAYERS = 256
MAX_SIZE = 1_000_000  # more than the largest dimension of any Whisper
AUDIO_POSITIONS = 1500  # two hundredths of a second each: a window of 30 s


@dataclass(frozen=True)
class Weights:
    """A model as published: `suppress` are token ids never to be written, `suppress_at_start` not as the first.

    `tensors` are as they were read; `checked_tensors` says whether they are what `dims` ask for.
    """

    dims: ModelDimensions
    tensors: Mapping[str, Any]
    bpe: tokenizers.Tokenizer
    suppress: tuple[int, ...]
    suppress_at_start: tuple[int, ...]


def checked_dimensions(stated: Sequence[tuple[str, object]], source: object) -> ModelDimensions:
    """The dimensions that the file `source` states, each with its name there, in the order of ModelDimensions.

    Raises CheckpointError for what cannot be the sizes of a Whisper.
    """
    for name, size in stated:
        if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= MAX_SIZE:
            problem = f"{name!r} must be a whole number from 1 to {MAX_SIZE:,}, and is {str(size)[:40]!r}"
            raise CheckpointError(f"{source}: {problem}. Use the file that came with the model.")
    sizes = (size for _, size in stated if isinstance(size, int))
    dims = ModelDimensions(**dict(zip((field.name for field in fields(ModelDimensions)), sizes, strict=True)))
    if problem := _problem(dims):
        raise CheckpointError(f"{source}: {problem}. Use the file that came with the model.")
    return dims


def _problem(dims: ModelDimensions) -> str:
    """What keeps these dimensions from being a Whisper's; nothing where they can be."""
    if max(dims.n_audio_layer, dims.n_text_layer) > MAX_LAYERS:
        return f"a model of more than {MAX_LAYERS} layers is no Whisper"
    if dims.n_audio_state % dims.n_audio_head or dims.n_text_state % dims.n_text_head:
        return f"the model's width, {dims.n_text_state}, cannot be divided among its attention heads"
    if dims.n_audio_state != dims.n_text_state:
        return f"the encoder's width, {dims.n_audio_state}, is not the decoder's, {dims.n_text_state}"
    if dims.n_audio_ctx != AUDIO_POSITIONS:
        return f"a Whisper has {AUDIO_POSITIONS} audio positions, not {dims.n_audio_ctx}"
    return ""


def checked_tensors(weights: Weights, name: str) -> dict[str, Tensor]:
    """The tensors that the model `name` needs, float32. Raises CheckpointError before any memory is taken for them."""
    with torch.device("meta"):
        needed = Whisper(weights.dims).state_dict()
    for key in sorted(needed.keys() ^ weights.tensors.keys(), key=str):
        lack = "is missing" if key in needed else "does not belong there"
        raise CheckpointError(f"The weights of {name} do not fit the dimensions it states: {str(key)[:80]} {lack}.")
    for key, expected in needed.items():
        tensor = weights.tensors[key]
        if not isinstance(tensor, Tensor) or tensor.layout != torch.strided or tensor.device.type != "cpu":
            raise CheckpointError(f"The weights of {name} are damaged: {key} is not a plain tensor.")
        if tensor.shape != expected.shape or not tensor.dtype.is_floating_point:
            found = f"{tuple(tensor.shape)}, {tensor.dtype}"
            problem = f"{key} is {found} and should be {tuple(expected.shape)}, floating point"
            raise CheckpointError(f"The weights of {name} do not fit the dimensions it states: {problem}.")
    return {key: weights.tensors[key].float() for key in needed}
