"""The arithmetic that a server has on this processor, but that nothing is measured: the newest kernels there are."""

from asr.runtime.choose import Compute, choose_compute, choose_computes
from asr.runtime.cpu_shares import Shares
from asr.runtime.precision import AUTO_INSTRUCTIONS, Precision
from asr.whisper.checkpoints import Checkpoint
from tests.conftest import newest_instructions


def as_served(checkpoint: Checkpoint) -> Compute:
    return choose_compute(checkpoint, instructions=newest_instructions())


def replicas_as_served(checkpoint: Checkpoint, shares: Shares, precision: Precision = Precision.AUTO) -> list[Compute]:
    instructions = newest_instructions() if precision is Precision.AUTO else AUTO_INSTRUCTIONS
    return choose_computes(checkpoint, precision, shares, instructions=instructions)
