"""A server of its own for every test."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.server import FakeServer, running


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SAYSEEK_SERVER", "SAYSEEK_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with running(FakeServer()) as server:
        yield server


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address at which nobody listens: the port is taken, so that no one else comes to."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def question(sample_files: list[Path]) -> Path:
    """A recording of one spoken query."""
    return sample_files[0]
