"""Weights in OpenAI's original `.pt` files, read without running anything that a pickle may name."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from asr.errors import CheckpointError
from asr.whisper.model import ModelDimensions
from asr.whisper.weights.format import checked_dimensions


def read_tensors(path: Path) -> tuple[ModelDimensions, dict[str, Any]]:
    """Dimensions, and what stands for tensors. Raises CheckpointError for anything but plain tensors and numbers."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle may raise anything
        raise CheckpointError(
            f"{path} is damaged or holds more than plain weights, and was not opened further. "
            "Use a checkpoint that OpenAI's Whisper published, or safetensors."
        ) from error
    if not isinstance(content, dict) or not {"dims", "model_state_dict"} <= content.keys():
        raise CheckpointError(f"{path} is not an OpenAI Whisper checkpoint: it needs 'dims' and 'model_state_dict'.")
    dims, tensors = content["dims"], content["model_state_dict"]
    if not isinstance(dims, dict) or not isinstance(tensors, dict):
        raise CheckpointError(f"{path} is no OpenAI Whisper checkpoint: 'dims' or 'model_state_dict' is no dictionary.")
    stated = [(field.name, dims.get(field.name)) for field in fields(ModelDimensions)]
    return checked_dimensions(stated, path), tensors
