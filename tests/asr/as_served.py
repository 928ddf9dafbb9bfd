"""The arithmetic that a server has on this processor, but that nothing is measured: the newest kernels there are."""

from asr.runtime.choose import Backend, choose_backend, choose_backends
from asr.runtime.cpu_shares import CpuShares
from asr.runtime.precision import AUTO_INSTRUCTIONS, Precision
from asr.whisper.checkpoints import Checkpoint
from tests.conftest import newest_instructions


def as_served(checkpoint: Checkpoint) -> Backend:
    return choose_backend(checkpoint, instructions=newest_instructions())


def replicas_as_served(
    checkpoint: Checkpoint, shares: CpuShares, precision: Precision = Precision.AUTO
) -> list[Backend]:
    instructions = newest_instructions() if precision is Precision.AUTO else AUTO_INSTRUCTIONS
    return choose_backends(checkpoint, precision, shares, instructions=instructions)
