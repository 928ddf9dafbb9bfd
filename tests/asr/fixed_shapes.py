"""The arithmetic of a GPU on this processor."""

import torch

from asr.decoding.rules import Rules
from asr.runtime.choose import GPU_FRAMES, Backend
from asr.runtime.cuda_stepper import CudaStepper
from asr.whisper.checkpoints import Checkpoint
from asr.whisper.encoding import Encoder


def as_on_a_gpu(checkpoint: Checkpoint) -> Backend:
    """In batches, fixed shapes and memory that does not move, on this processor."""
    encoder = Encoder(checkpoint.model.encoder, frames_at_once=GPU_FRAMES)
    context = Rules.of(checkpoint).context
    stepper = CudaStepper(checkpoint.model.decoder, encoder.silence, context=context, places=24)
    return Backend(encoder, stepper, torch.get_num_threads(), torch.device("cpu"), 24, encode_at_once=16)
