"""With which arithmetic a model runs: chosen by what the machine has, or by name."""

import logging
import os
import sys
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch

from asr.checkpoints import Checkpoint
from asr.decoding import Rules
from asr.encoding import Encoder
from asr.model import EncoderBlock
from asr.native.build import CannotBuild, load_library
from asr.native.encoder import NativeBlock
from asr.native.steps import NativeSteps
from asr.precision import Precision
from asr.static_steps import StaticSteps, sequence_bytes
from asr.steps import Stepper
from asr.torch_steps import TorchSteps

logger = logging.getLogger(__name__)

MOST_USEFUL_THREADS = 8  # for one clip at a time; more only wait for each other
CPU_SEQUENCES, GPU_SEQUENCES = 64, 256
GPU_ENCODINGS = 16
GPU_FRAMES = 64  # by which clips' lengths differ on a GPU, where silence costs little and few lengths make batches
GPU_SHARE = 0.6  # of the free memory, for sequences; the rest is for what a step and an encoding take


@dataclass(frozen=True)
class Compute:
    """The parts that an engine runs, on how many CPU threads.

    `sequences` is how many are read at once, over all clips; `encode_at_once` how many windows are encoded together:
    one on a CPU, which gains nothing from more.
    """

    encoder: Encoder
    stepper: Stepper
    threads: int
    device: torch.device
    sequences: int = CPU_SEQUENCES
    encode_at_once: int = 1

    def __str__(self) -> str:
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        where = threads if self.device.type == "cpu" else str(self.device)
        return f"encoder {self.encoder.precision}, decoder {self.stepper.precision}, {where}"

    @classmethod
    def plain(cls, checkpoint: Checkpoint, threads: int | None = None) -> "Compute":
        """The network as it is, in float32 on the CPU."""
        return _in_torch(checkpoint, torch.float32, threads)


def choose_compute(
    checkpoint: Checkpoint,
    precision: Precision = Precision.AUTO,
    *,
    threads: int | None = None,
    cache: Path | None = None,
) -> Compute:
    """The arithmetic that was asked for; `cache` is where compiled code is kept.

    A GPU is used where there is one, but for INT8, which only the CPU has. There the decoder in int8 needs a C
    compiler: without one AUTO does without it and INT8 raises CannotBuild.
    """
    if torch.cuda.is_available() and precision is not Precision.INT8:
        kind = best_of_gpu() if precision is Precision.AUTO else getattr(torch, precision)
        return _on_gpu(checkpoint, torch.device("cuda", torch.cuda.current_device()), kind, threads)
    if precision in (Precision.FLOAT32, Precision.BFLOAT16):
        return _in_torch(checkpoint, getattr(torch, precision), threads)
    try:
        return _in_int8(checkpoint, threads, cache)
    except CannotBuild as error:
        if precision is Precision.INT8:
            raise
        logger.warning("the decoder runs in PyTorch, several times slower: %s", error)
        return _in_torch(checkpoint, best_of_cpu(), threads)


def _in_torch(checkpoint: Checkpoint, kind: torch.dtype, threads: int | None) -> Compute:
    model = checkpoint.model if kind is torch.float32 else deepcopy(checkpoint.model).to(kind)
    encoder = Encoder(model.encoder)
    stepper = TorchSteps(model.decoder, encoder.silence, context=Rules.of(checkpoint).context)
    return Compute(encoder, stepper, threads or default_threads(), torch.device("cpu"))


def _on_gpu(checkpoint: Checkpoint, device: torch.device, kind: torch.dtype, threads: int | None) -> Compute:
    torch.backends.cudnn.allow_tf32 = False  # float32 is float32, in convolutions too
    model = deepcopy(checkpoint.model).to(device, kind)
    encoder, context = Encoder(model.encoder, frames_at_once=GPU_FRAMES), Rules.of(checkpoint).context
    free, _ = torch.cuda.mem_get_info(device)
    affordable = int(GPU_SHARE * free) // sequence_bytes(model.decoder, context)
    sequences = max(1, min(GPU_SEQUENCES, affordable))
    stepper = StaticSteps(model.decoder, encoder.silence, context=context, places=sequences)
    return Compute(encoder, stepper, threads or default_threads(), device, sequences, GPU_ENCODINGS)


def _in_int8(checkpoint: Checkpoint, threads: int | None, cache: Path | None) -> Compute:
    """In int8, but for the encoder's attention, which is in what the processor is best at. Raises CannotBuild."""
    model, threads = checkpoint.model, threads or default_threads()
    library = load_library(cache)
    blocks = [NativeBlock(cast(EncoderBlock, block), library, threads) for block in model.encoder.blocks]
    encoder = Encoder(deepcopy(model.encoder).to(best_of_cpu()), blocks, "int8")
    context = Rules.of(checkpoint).context
    stepper = NativeSteps(model.decoder, encoder.silence, library, context=context, threads=threads)
    return Compute(encoder, stepper, threads, torch.device("cpu"))


def best_of_gpu() -> torch.dtype:
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32


def best_of_cpu() -> torch.dtype:
    """bfloat16 where the processor multiplies it itself; elsewhere it is slower than float32."""
    return torch.bfloat16 if torch.cpu._is_avx512_bf16_supported() else torch.float32


def default_threads() -> int:
    """As many as the process may use, up to where more no longer help."""
    usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, min(usable, MOST_USEFUL_THREADS, _container_quota()))


def _container_quota() -> int:
    """The processors' time that a container may take, in whole processors (Linux, cgroup v2: cpu.max)."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return int(quota) // int(period)
    except (OSError, ValueError):  # no such file, or "max"
        return MOST_USEFUL_THREADS
