"""The README's Python examples run as they are copied."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import SAMPLES
from tests.e2e.conftest import Server, StartServer
from tests.test_readme import PYTHON


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> Iterator[Server]:
    with start_server(model="tiny.en") as server:
        yield server


@pytest.mark.parametrize("example", PYTHON, ids=lambda example: example.splitlines()[-1].strip()[:30])
def test_python_examples_run(server: Server, tmp_path: Path, sample_files: list[Path], example: str) -> None:
    (tmp_path / "samples").symlink_to(SAMPLES)
    shutil.copy(sample_files[0], tmp_path / "question.m4a")
    example = example.replace("127.0.0.1:8000", server.address.removeprefix("http://"))
    done = subprocess.run(
        [sys.executable, "-c", example],
        cwd=tmp_path,
        env=os.environ | {"SAYSEEK_SERVER": server.address},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "->" in done.stdout
