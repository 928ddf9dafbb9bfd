"""What recognition's tests share: the recordings as samples, and the native library compiled once."""

import ctypes
import platform
from pathlib import Path

import pytest

from asr.audio import Samples, decode_audio
from asr.native import build
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
        pytest.skip(f"no native library here: {error}")


@pytest.fixture(scope="session")
def plainer_library(native_library: ctypes.CDLL, tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The library as it is compiled for a processor that multiplies neither bytes nor bfloat16."""
    if platform.machine() != "x86_64":
        pytest.skip("only this kind of processor can be told to do without")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "FLAGS", (*build.FLAGS, "-mno-avx512vnni", "-mno-avx512bf16"))
        return load_library(tmp_path_factory.mktemp("plainer"))
