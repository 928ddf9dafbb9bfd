"""With which arithmetic a model runs: chosen by what the machine has, or by name."""

import logging
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import torch

from asr.checkpoints import Checkpoint
from asr.decoding import Rules
from asr.encoding import Encoder
from asr.native.build import CannotBuild, load_library
from asr.native.encoder import NativeEncoder
from asr.native.steps import NativeSteps
from asr.precision import Precision
from asr.static_steps import StaticSteps, sequence_bytes
from asr.steps import Stepper
from asr.threads import Shares, share_out, usable_cores
from asr.torch_steps import TorchSteps

logger = logging.getLogger(__name__)

CPU = torch.device("cpu")

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
        (compute,) = _in_torch(checkpoint, torch.float32, _alone(threads))
        return compute


def choose_compute(
    checkpoint: Checkpoint,
    precision: Precision = Precision.AUTO,
    *,
    threads: int | None = None,
    cache: Path | None = None,
) -> Compute:
    """As `choose_computes`, for one engine that has the machine to itself."""
    (compute,) = choose_computes(checkpoint, precision, _alone(threads), cache)
    return compute


def choose_computes(
    checkpoint: Checkpoint, precision: Precision, shares: Shares, cache: Path | None = None
) -> list[Compute]:
    """The arithmetic that was asked for, for each replica; `cache` is where compiled code is kept.

    A GPU is used where there is one, but for INT8, which only the CPU has. There the decoder in int8 needs a C
    compiler: without one AUTO does without it and INT8 raises CannotBuild. Replicas on the CPU read the same weights,
    and each GPU has its own.
    """
    if torch.cuda.is_available() and precision is not Precision.INT8:
        kind = best_of_gpu() if precision is Precision.AUTO else getattr(torch, precision)
        return [_on_gpu(checkpoint, device, kind, sharers, shares.threads) for device, sharers in _dealt(shares)]
    if precision in (Precision.FLOAT32, Precision.BFLOAT16):
        return _in_torch(checkpoint, getattr(torch, precision), shares)
    try:
        return _in_int8(checkpoint, shares, cache)
    except CannotBuild as error:
        if precision is Precision.INT8:
            raise
        logger.warning("the decoder runs in PyTorch, several times slower: %s", error)
        return _in_torch(checkpoint, best_of_cpu(), shares)


def shares_here(replicas: int = 0, threads: int = 0) -> Shares:
    """Shares of this machine, as much of it as the process may use."""
    return share_out(usable_cores(), torch.cuda.device_count(), replicas=replicas, threads=threads)


def _alone(threads: int | None) -> Shares:
    return shares_here(replicas=1, threads=threads or 0)


def _in_torch(checkpoint: Checkpoint, kind: torch.dtype, shares: Shares) -> list[Compute]:
    model = checkpoint.model if kind is torch.float32 else deepcopy(checkpoint.model).to(kind)
    encoder, context = Encoder(model.encoder), Rules.of(checkpoint).context
    return [
        Compute(encoder, TorchSteps(model.decoder, encoder.silence, context=context), shares.threads, CPU)
        for _ in range(shares.replicas)
    ]


def _dealt(shares: Shares) -> list[tuple[torch.device, int]]:
    """For each replica its GPU, of which there are taken as many in turn, and how many replicas that one has."""
    gpus = torch.cuda.device_count()
    return [
        (torch.device("cuda", replica % gpus), len(range(replica % gpus, shares.replicas, gpus)))
        for replica in range(shares.replicas)
    ]


def _on_gpu(checkpoint: Checkpoint, device: torch.device, kind: torch.dtype, sharers: int, threads: int) -> Compute:
    """One of `sharers` replicas on a GPU."""
    torch.backends.cudnn.allow_tf32 = False  # float32 is float32, in convolutions too
    model = deepcopy(checkpoint.model).to(device, kind)
    encoder, context = Encoder(model.encoder, frames_at_once=GPU_FRAMES), Rules.of(checkpoint).context
    free, _ = torch.cuda.mem_get_info(device)
    affordable = int(GPU_SHARE * free / sharers) // sequence_bytes(model.decoder, context)
    sequences = max(1, min(GPU_SEQUENCES, affordable))
    stepper = StaticSteps(model.decoder, encoder.silence, context=context, places=sequences)
    return Compute(encoder, stepper, threads, device, sequences, GPU_ENCODINGS)


def _in_int8(checkpoint: Checkpoint, shares: Shares, cache: Path | None) -> list[Compute]:
    """In int8, but for convolutions and attention, which are in what the processor is best at. Raises CannotBuild."""
    model = checkpoint.model
    library = load_library(cache)
    encoder = NativeEncoder(model.encoder, library, convolutions=best_of_cpu())
    context = Rules.of(checkpoint).context
    stepper = NativeSteps(model.decoder, encoder.silence, library, context=context)
    steppers = [stepper, *(stepper.with_a_cache_of_its_own() for _ in range(shares.replicas - 1))]
    return [Compute(encoder, stepper, shares.threads, CPU) for stepper in steppers]


def best_of_gpu() -> torch.dtype:
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32


def best_of_cpu() -> torch.dtype:
    """bfloat16 where the processor multiplies it itself; elsewhere it is slower than float32."""
    return torch.bfloat16 if torch.cpu._is_avx512_bf16_supported() else torch.float32
