from pathlib import Path

import pytest

from clients.client import Client
from clients.command.asking import Question, ask_file
from clients.errors import UnreadableRecording
from tests.clients.server import FakeServer


def test_what_was_said_before_a_recording_breaks_off_is_asked(
    server: FakeServer, question: Path, tmp_path: Path
) -> None:
    """One that broke off within its only utterance, or the five seconds after, gave nothing but the error."""
    content = question.read_bytes()
    broken = tmp_path / "broken.flac"
    broken.write_bytes(content[: len(content) * 8 // 10])
    with Client(server.url) as client:
        heard, told = ask_file(client, str(broken), Question())
    assert heard.answer
    assert isinstance(told.error, UnreadableRecording)
    assert len(server.received) == 1


@pytest.mark.parametrize("content", [None, bytes(2000)], ids=["a pipe without end", "a file that is not cut here"])
def test_more_than_fits_in_memory_is_refused(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    """Reading it to its end filled the memory."""
    monkeypatch.setattr("clients.command.asking.LARGEST_BYTES", 1000)
    file = Path("/dev/zero")
    if content:
        file = tmp_path / "large.webm"
        file.write_bytes(content)
    with Client(server.url) as client:
        (outcome,) = ask_file(client, str(file), Question())
    assert isinstance(outcome.error, UnreadableRecording)
    assert "More than 1,000 bytes" in str(outcome.error)
    assert server.received == []
