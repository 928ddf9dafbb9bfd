"""What recognition's tests share: the recordings as samples, and the decoder compiled once."""

import ctypes
from pathlib import Path

import pytest

from asr.audio import Samples, decode_audio
from asr.native.build import CannotBuild, load_library


@pytest.fixture(scope="session")
def clips(sample_files: list[Path]) -> list[Samples]:
    """Every recording, 16 kHz mono."""
    return [decode_audio(file.read_bytes()).samples for file in sample_files]


@pytest.fixture(scope="session")
def native_library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    try:
        return load_library(tmp_path_factory.mktemp("compiled"))
    except CannotBuild as error:
        pytest.skip(f"no native decoder here: {error}")
