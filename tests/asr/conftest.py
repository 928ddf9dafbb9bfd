"""What recognition's tests share: the recordings as samples, and the compiled kernels."""

from pathlib import Path

import pytest

from asr.audio.decode import Samples, decode_audio
from asr.runtime.native.library import Kernels, NativeUnavailable, load_kernels


@pytest.fixture(scope="session")
def clips(sample_files: list[Path]) -> list[Samples]:
    """Every recording, 16 kHz mono."""
    return [decode_audio(file.read_bytes()).samples for file in sample_files]


def _kernels_here() -> dict[str, Kernels]:
    try:
        return load_kernels()
    except NativeUnavailable:
        return {}


KERNELS = _kernels_here()  # of every path that this processor runs, the newest instructions last


@pytest.fixture(scope="session")
def kernels() -> dict[str, Kernels]:
    if not KERNELS:
        pytest.skip("the network was not compiled here")
    return KERNELS


@pytest.fixture(scope="session")
def best_kernels(kernels: dict[str, Kernels]) -> Kernels:
    """Those with the newest instructions."""
    return list(kernels.values())[-1]
