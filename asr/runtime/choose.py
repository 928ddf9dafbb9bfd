"""With which arithmetic a model runs: chosen by what the machine has, or by name."""

import logging
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import torch

from asr.decoding.rules import Rules
from asr.decoding.stepper import Stepper
from asr.runtime.arithmetic import Arithmetic, InTorch, candidates, in_torch
from asr.runtime.cpu_shares import THREADS, CpuShares, allocate_cpus, usable_cores
from asr.runtime.cuda_stepper import CudaStepper, sequence_bytes
from asr.runtime.measuring import Measured, measured
from asr.runtime.native.library import UnsuitableModel
from asr.runtime.precision import AUTO_INSTRUCTIONS, Precision
from asr.whisper.checkpoints import Checkpoint
from asr.whisper.encoding import Encoder

logger = logging.getLogger(__name__)

CPU = torch.device("cpu")

CPU_SEQUENCES, GPU_SEQUENCES = 64, 256
GPU_ENCODINGS = 16
GPU_FRAMES = 64  # by which clips' lengths differ on a GPU, where silence costs little and few lengths make batches
GPU_SHARE = 0.6  # of the free memory, for sequences; the rest is for what a step and an encoding take


@dataclass(frozen=True)
class Backend:
    """The parts that an engine runs, on how many CPU threads.

    `sequences` is how many are read at once, over all clips; `encode_at_once` how many windows are encoded together:
    one on a CPU, which gains nothing from more. `measured` is what the choice was made by, where there was one.
    """

    encoder: Encoder
    stepper: Stepper
    threads: int
    device: torch.device
    sequences: int = CPU_SEQUENCES
    encode_at_once: int = 1
    measured: Measured | None = None

    def __str__(self) -> str:
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        where = threads if self.device.type == "cpu" else str(self.device)
        return f"encoder {self.encoder.precision}, decoder {self.stepper.precision}, {where}"

    @classmethod
    def plain(cls, checkpoint: Checkpoint, threads: int | None = None) -> "Backend":
        """The network as it is, in float32 on the CPU."""
        (compute,) = _on_cpu(checkpoint, [InTorch(torch.float32)], _alone(threads), None)
        return compute


def choose_backend(
    checkpoint: Checkpoint,
    precision: Precision = Precision.AUTO,
    *,
    threads: int | None = None,
    instructions: str = AUTO_INSTRUCTIONS,
    cache: Path | None = None,
) -> Backend:
    """As `choose_backends`, for one engine that has the machine to itself."""
    (compute,) = choose_backends(checkpoint, precision, _alone(threads), instructions=instructions, cache=cache)
    return compute


def choose_backends(
    checkpoint: Checkpoint,
    precision: Precision,
    shares: CpuShares,
    *,
    instructions: str = AUTO_INSTRUCTIONS,
    cache: Path | None = None,
) -> list[Backend]:
    """The arithmetic that was asked for, for each replica.

    A GPU is used where there is one, but for INT8 and for `instructions` that are named, which only the CPU has. On the
    CPU the encoder and the decoder each get what is measured to be the fastest of what was asked for; `cache` is where
    measurements are kept. Where the network was not compiled, or not for such a model, AUTO does with PyTorch, and INT8
    raises NativeUnavailable. Replicas on the CPU read the same weights, and each GPU has its own.
    """
    if torch.cuda.is_available() and precision is not Precision.INT8 and instructions == AUTO_INSTRUCTIONS:
        kind = best_of_gpu() if precision is Precision.AUTO else getattr(torch, precision)
        return [_on_gpu(checkpoint, device, kind, sharers, shares.threads) for device, sharers in _dealt(shares)]
    try:
        return _on_cpu(checkpoint, candidates(precision, instructions), shares, cache)
    except UnsuitableModel as error:
        if precision is not Precision.AUTO or instructions != AUTO_INSTRUCTIONS:
            raise
        logger.warning("the model runs in PyTorch, several times slower: %s", error)
        return _on_cpu(checkpoint, in_torch(), shares, cache)


def shares_here(replicas: int = 0, threads: int = 0) -> CpuShares:
    """Shares of this machine, as much of it as the process may use."""
    return allocate_cpus(usable_cores(), torch.cuda.device_count(), replicas=replicas, threads=threads)


def threads_of_one(shares: CpuShares) -> int:
    """How many a clip has that is alone: those of all replicas."""
    return min(THREADS, shares.threads * shares.replicas)


def _alone(threads: int | None) -> CpuShares:
    return shares_here(replicas=1, threads=threads or 0)


def _on_cpu(
    checkpoint: Checkpoint, arithmetics: Sequence[Arithmetic], shares: CpuShares, cache: Path | None
) -> list[Backend]:
    """The fastest of them, measured where there are several. Raises UnsuitableModel."""
    model, context = checkpoint.model, Rules.of(checkpoint).context
    times = None
    by_name = {one.name: one for one in arithmetics}
    for_encoder = for_decoder = arithmetics[0]
    if len(arithmetics) > 1:
        times = measured(checkpoint, arithmetics, threads_of_one(shares), cache)
        for_encoder, for_decoder = map(by_name.__getitem__, times.best())
    encoder = for_encoder.encoder(model.encoder)
    steppers = for_decoder.steppers(model.decoder, encoder.silence, context, shares.replicas)
    return [Backend(encoder, stepper, shares.threads, CPU, measured=times) for stepper in steppers]


def _dealt(shares: CpuShares) -> list[tuple[torch.device, int]]:
    """For each replica its GPU, of which there are taken as many in turn, and how many replicas that one has."""
    gpus = torch.cuda.device_count()
    return [
        (torch.device("cuda", replica % gpus), len(range(replica % gpus, shares.replicas, gpus)))
        for replica in range(shares.replicas)
    ]


def _on_gpu(checkpoint: Checkpoint, device: torch.device, kind: torch.dtype, sharers: int, threads: int) -> Backend:
    """One of `sharers` replicas on a GPU."""
    torch.backends.cudnn.allow_tf32 = False  # float32 is float32, in convolutions too
    model = deepcopy(checkpoint.model).to(device, kind)
    encoder, context = Encoder(model.encoder, frames_at_once=GPU_FRAMES), Rules.of(checkpoint).context
    free, _ = torch.cuda.mem_get_info(device)
    affordable = int(GPU_SHARE * free / sharers) // sequence_bytes(model.decoder, context)
    sequences = max(1, min(GPU_SEQUENCES, affordable))
    stepper = CudaStepper(model.decoder, encoder.silence, context=context, places=sequences)
    return Backend(encoder, stepper, threads, device, sequences, GPU_ENCODINGS)


def best_of_gpu() -> torch.dtype:
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
