"""What every room's tests share: the recordings in samples/, the real models and the sample catalogue, made once."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from asr.audio.decode import Samples
from asr.runtime.native.library import NativeUnavailable, load_kernels
from asr.runtime.precision import AUTO_INSTRUCTIONS
from asr.whisper.checkpoints import Checkpoint, load_checkpoint
from search.catalogue import sample_cities as cities
from search.opening import open_index
from tests.postgres_server import PostgresServer, programs, running

SAMPLES = Path(__file__).parent.parent / "samples"
LACKING = ("install", "not compiled")  # in the reason of a skip: what the tests need is not here


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """With CI set, nothing that a test needs may be missing: a skipped test is no passed one."""
    skipped = terminalreporter.stats.get("skipped", [])
    lacking = sorted({report.longrepr[2] for report in skipped if any(word in report.longrepr[2] for word in LACKING)})
    if lacking and os.environ.get("CI") == "true":
        terminalreporter.write_line(f"not expected here: {'; '.join(lacking)}", red=True)
        terminalreporter._session.exitstatus = pytest.ExitCode.TESTS_FAILED


def newest_instructions() -> str:
    """Of the kernels that run here; `auto` where there are none."""
    try:
        return list(load_kernels())[-1]
    except NativeUnavailable:
        return AUTO_INSTRUCTIONS


@pytest.fixture(scope="session", autouse=True)
def same_arithmetic() -> Iterator[None]:
    """Every server takes the newest kernels: two that measured might choose differently, and write other words."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAYSEEK_INSTRUCTIONS", newest_instructions())
        yield


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


@pytest.fixture(scope="session")
def sample_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the index of the sample catalogue: to be read, or copied by who writes."""
    folder = tmp_path_factory.mktemp("sample") / "index"
    with open_index(f"tantivy:{folder}", cities.SCHEMA) as index:
        index.upsert(cities.documents())
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    where = programs()
    if where is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with running(where) as server:
        yield server
