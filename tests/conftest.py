"""What every room's tests share: the recordings in samples/ and the real models, loaded once."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.audio import Samples
from asr.checkpoints import Checkpoint, load_checkpoint

SAMPLES = Path(__file__).parent.parent / "samples"


@pytest.fixture(scope="session")
def sample_files() -> list[Path]:
    files = sorted(SAMPLES.glob("*.flac"))
    assert files, "samples/ holds no recordings"
    return files


@pytest.fixture(scope="session")
def speech(sample_files: list[Path]) -> Samples:
    """A spoken query, 16 kHz mono."""
    samples, sample_rate = soundfile.read(sample_files[0], dtype="float32")
    assert sample_rate == 16_000
    return np.asarray(samples, np.float32)


@pytest.fixture(scope="session")
def tiny_en() -> Checkpoint:
    return load_checkpoint("tiny.en")


@pytest.fixture(scope="session")
def base() -> Checkpoint:
    return load_checkpoint("base")
