"""With which arithmetic a model runs: chosen by what the machine has, or by name."""

import logging
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from asr.checkpoints import Checkpoint
from asr.decoding import Rules
from asr.encoding import Encoder
from asr.native.build import CannotBuild, load_library
from asr.native.encoder import NativeEncoder
from asr.native.steps import NativeSteps
from asr.precision import Precision
from asr.steps import Stepper
from asr.threads import Shares, share_out, usable_cores
from asr.torch_steps import TorchSteps

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Compute:
    """The parts that an engine runs, on how many CPU threads."""

    encoder: Encoder
    stepper: Stepper
    threads: int
    device: torch.device

    def __str__(self) -> str:
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        where = threads if self.device.type == "cpu" else str(self.device)
        return f"encoder {self.encoder.precision}, decoder {self.stepper.precision}, {where}"

    @classmethod
    def plain(cls, checkpoint: Checkpoint, threads: int | None = None) -> "Compute":
        """The network as it is, in float32 on the CPU."""
        (compute,) = _in_torch(checkpoint, torch.device("cpu"), torch.float32, _alone(threads))
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

    Replicas on the CPU read the same weights, and each GPU has its own. On a CPU the decoder in int8 needs a C
    compiler: without one AUTO does without it and INT8 raises CannotBuild.
    """
    if gpus := torch.cuda.device_count():
        kind = torch.float32 if precision is Precision.FLOAT32 else torch.bfloat16
        return _on_gpus(checkpoint, gpus, kind, shares)
    cpu = torch.device("cpu")
    if precision in (Precision.FLOAT32, Precision.BFLOAT16):
        return _in_torch(checkpoint, cpu, getattr(torch, precision), shares)
    try:
        return _in_int8(checkpoint, shares, cache)
    except CannotBuild as error:
        if precision is Precision.INT8:
            raise
        logger.warning("the decoder runs in PyTorch, several times slower: %s", error)
        return _in_torch(checkpoint, cpu, best_of_cpu(), shares)


def shares_here(replicas: int = 0, threads: int = 0) -> Shares:
    """Shares of this machine, as much of it as the process may use."""
    return share_out(usable_cores(), torch.cuda.device_count(), replicas=replicas, threads=threads)


def _alone(threads: int | None) -> Shares:
    return shares_here(replicas=1, threads=threads or 0)


def _on_gpus(checkpoint: Checkpoint, gpus: int, kind: torch.dtype, shares: Shares) -> list[Compute]:
    """Replicas are dealt out to the GPUs in turn."""
    dealt = [len(range(gpu, shares.replicas, gpus)) for gpu in range(gpus)]
    return [
        compute
        for gpu, replicas in enumerate(dealt)
        if replicas
        for compute in _in_torch(checkpoint, torch.device("cuda", gpu), kind, replace(shares, replicas=replicas))
    ]


def _in_torch(checkpoint: Checkpoint, device: torch.device, kind: torch.dtype, shares: Shares) -> list[Compute]:
    model = checkpoint.model
    if (device.type, kind) != ("cpu", torch.float32):
        model = deepcopy(model).to(device, kind)
    encoder, context = Encoder(model.encoder), Rules.of(checkpoint).context
    return [
        Compute(encoder, TorchSteps(model.decoder, encoder.silence, context=context), shares.threads, device)
        for _ in range(shares.replicas)
    ]


def _in_int8(checkpoint: Checkpoint, shares: Shares, cache: Path | None) -> list[Compute]:
    """In int8, but for convolutions and attention, which are in what the processor is best at. Raises CannotBuild."""
    model = checkpoint.model
    library = load_library(cache)
    encoder = NativeEncoder(model.encoder, library, convolutions=best_of_cpu())
    context = Rules.of(checkpoint).context
    stepper = NativeSteps(model.decoder, encoder.silence, library, context=context)
    steppers = [stepper, *(stepper.with_a_cache_of_its_own() for _ in range(shares.replicas - 1))]
    return [Compute(encoder, stepper, shares.threads, torch.device("cpu")) for stepper in steppers]


def best_of_cpu() -> torch.dtype:
    """bfloat16 where the processor multiplies it itself; elsewhere it is slower than float32."""
    return torch.bfloat16 if torch.cpu._is_avx512_bf16_supported() else torch.float32
