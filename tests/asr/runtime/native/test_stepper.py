"""The native decoder computes what it says: int8 weights by output, uint8 activations by row, and nothing else lost."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch

from asr.decoding.stepper import Row
from asr.runtime.native.build import PATHS
from asr.runtime.native.library import Kernels, NativeUnavailable
from asr.runtime.native.stepper import NativeStepper
from asr.whisper.checkpoints import Checkpoint
from asr.whisper.encoding import FRAMES_FOR_ONE, EncodedWindow, Encoder
from asr.whisper.model import ModelDimensions, TextDecoder, Whisper
from tests.asr.conftest import KERNELS
from tests.asr.int8 import Int8Decoder, Rounding, in_bfloat16, in_float16, in_float32, relative_error
from tests.asr.reference import random_reference

CONTEXT = 228
# By a path's products: what keys and values are kept as, and queries and attention's weights.
ATTENTION: dict[str, tuple[Rounding, Rounding]] = {
    "generic": (in_float32, in_float32),
    **dict.fromkeys(("avx2", "avx512", "neon"), (in_float16, in_float32)),
    "bf16": (in_bfloat16, in_bfloat16),
}


def with_one_layer(decoder: TextDecoder) -> TextDecoder:
    """Further layers make much of a level that was rounded the other way."""
    shallow = deepcopy(decoder)
    shallow.blocks = shallow.blocks[:1]
    shallow.dims = replace(decoder.dims, n_text_layer=1)
    return shallow


@pytest.mark.parametrize("path", KERNELS)
@pytest.mark.parametrize("name", ["tiny_en", "base"])
def test_one_layer_equals_its_arithmetic_spelt_out(name: str, path: str, request: pytest.FixtureRequest) -> None:
    checkpoint: Checkpoint = request.getfixturevalue(name)
    silence = Encoder(checkpoint.model.encoder).silence
    decoder = with_one_layer(checkpoint.model.decoder)
    stepper = NativeStepper(decoder, silence, KERNELS[path], context=CONTEXT)
    spelt_out = Int8Decoder(decoder, ATTENTION[PATHS[path].products])
    tokens = [*checkpoint.tokenizer.prompt("en"), 1396, 1182, 295, 257, 640, 407]
    window = EncodedWindow(silence.encoded.repeat_interleave(FRAMES_FOR_ONE, dim=0))
    past = stepper.begin(stepper.hear(window))
    choices = stepper.step([Row(past, token, i, wants_logits=True) for i, token in enumerate(tokens)])
    ours = torch.stack([choice.logits for choice in choices if choice.logits is not None])
    error = relative_error(ours, spelt_out(torch.tensor([tokens]), window.encoded[None])[0])
    assert error.median() < 1e-4
    assert error.max() < 0.02  # where a level lies on the edge between two


def test_heads_of_another_width_are_refused(best_kernels: Kernels) -> None:
    dims = ModelDimensions(80, 1500, 64, 2, 1, 51_865, 448, 64, 2, 1)
    model = Whisper.from_tensors(dims, random_reference(dims).state_dict())
    with pytest.raises(NativeUnavailable, match="32 wide"):
        NativeStepper(model.decoder, Encoder(model.encoder).silence, best_kernels, context=CONTEXT)
