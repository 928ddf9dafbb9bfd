"""What recognition's tests share: the recordings as samples, and the compiled kernels."""

from pathlib import Path

import pytest

from asr.audio import Samples, decode_audio
from asr.native.library import Kernels, NativeUnavailable, load_kernels


@pytest.fixture(scope="session")
def clips(sample_files: list[Path]) -> list[Samples]:
    """Every recording, 16 kHz mono."""
    return [decode_audio(file.read_bytes()).samples for file in sample_files]


@pytest.fixture(scope="session")
def kernels() -> dict[str, Kernels]:
    """The compiled library's own, of every path that this processor runs."""
    try:
        return load_kernels()
    except NativeUnavailable as error:
        pytest.skip(f"no kernels here: {error}")


@pytest.fixture(scope="session")
def best_kernels(kernels: dict[str, Kernels]) -> Kernels:
    """Those with the newest instructions."""
    return list(kernels.values())[-1]


def kernels_of(path: str, request: pytest.FixtureRequest) -> Kernels:
    """A path's; the test is skipped where the processor does not run it."""
    own: dict[str, Kernels] = request.getfixturevalue("kernels")
    if path not in own:
        pytest.skip(f"this processor does not run {path}")
    return own[path]
