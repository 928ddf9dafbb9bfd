"""Whisper weights in the formats they are published in → one form: `Weights`, with the reference's tensor names.

`ctranslate2` reads the packaged models, `huggingface` local folders and hub snapshots, `openai` the original
`.pt` files.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import tokenizers
from torch import Tensor

from asr.model import ModelDimensions


@dataclass(frozen=True)
class Weights:
    """A model as published: `suppress` are token ids never to be written, `suppress_at_start` not as the first."""

    dims: ModelDimensions
    tensors: Mapping[str, Tensor]
    bpe: tokenizers.Tokenizer
    suppress: tuple[int, ...]
    suppress_at_start: tuple[int, ...]
