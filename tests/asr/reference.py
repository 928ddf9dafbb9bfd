"""OpenAI's own implementation with the same weights, to compare with."""

import dataclasses

import torch
import whisper.model
from torch import Tensor

from asr.whisper.model import ModelDimensions


def reference_model(dims: ModelDimensions, tensors: dict[str, Tensor]) -> whisper.model.Whisper:
    model = whisper.model.Whisper(whisper.model.ModelDimensions(**dataclasses.asdict(dims)))
    model.load_state_dict(tensors)
    return model.eval()


def random_reference(dims: ModelDimensions) -> whisper.model.Whisper:
    """A reference model with random weights, of any dimensions."""
    torch.manual_seed(0)
    model = whisper.model.Whisper(whisper.model.ModelDimensions(**dataclasses.asdict(dims)))
    torch.nn.init.normal_(model.decoder.positional_embedding, std=0.02)
    return model.eval()
