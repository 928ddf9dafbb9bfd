"""Weights in OpenAI's original `.pt` files, read without running anything that a pickle may name."""

import pickle
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from asr.errors import CheckpointError
from asr.model import ModelDimensions


def read_tensors(path: Path) -> tuple[ModelDimensions, dict[str, Tensor]]:
    """Dimensions and float32 tensors. Raises CheckpointError for anything but plain tensors and numbers."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{path} is damaged or holds more than plain weights, and was not opened further. "
            "Use a checkpoint that OpenAI's Whisper published, or safetensors."
        ) from error
    if not isinstance(content, dict) or not {"dims", "model_state_dict"} <= content.keys():
        raise CheckpointError(f"{path} is not an OpenAI Whisper checkpoint: it needs 'dims' and 'model_state_dict'.")
    return _dimensions(content["dims"], path), {
        name: tensor.float() for name, tensor in content["model_state_dict"].items()
    }


def _dimensions(dims: Any, path: Path) -> ModelDimensions:
    try:
        return ModelDimensions(**{field.name: int(dims[field.name]) for field in fields(ModelDimensions)})
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} does not state its dimensions as Whisper's checkpoints do: {error}.") from error
