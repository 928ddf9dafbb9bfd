"""`sayseek listen` with recordings, as a process, against the real server."""

import json
import os
import pty
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.clients.command.test_cli import drained
from tests.e2e.conftest import PROGRAMS, Server, StartServer
from tests.e2e.test_ask import city_of, folded, sayseek

RATE = 16_000


@pytest.fixture
def conversation(sample_files: list[Path], tmp_path: Path) -> Path:
    """Two queries with long silences around, as stereo at another rate."""
    silence = np.zeros(4 * RATE, np.int16)
    queries = [soundfile.read(file, dtype="int16")[0] for file in (sample_files[0], sample_files[-2])]
    samples = np.concatenate([silence, queries[0], silence, queries[1], silence])
    file = tmp_path / "conversation.wav"
    soundfile.write(file, np.stack([samples, samples], axis=1), RATE)
    return file


def test_words_come_while_a_recording_plays_and_then_the_results(server: Server, sample_files: list[Path]) -> None:
    file = sample_files[0]
    began = time.monotonic()
    done = sayseek("listen", "--server", server.address, "--limit", 2, "--file", file)
    took = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    *words, heard, first, _second, _ = done.stdout.splitlines()
    assert words
    assert all(line.endswith(" …") for line in words)
    assert heard.endswith('"')
    assert city_of(file) in folded(heard)
    assert first.split()[0] == "1"
    assert city_of(file) in folded(first)
    assert took > soundfile.info(file).duration  # it plays at its own pace


def test_an_event_a_line(server: Server, sample_files: list[Path]) -> None:
    done = sayseek("listen", "--json", "--server", server.address, "--file", sample_files[0])
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["type"] for event in events if event["type"] != "Interim"] == [
        "Listening",
        "SpeechStarted",
        "Final",
    ]
    assert city_of(sample_files[0]) in folded(events[-1]["results"][0]["title"])
    assert events[-1]["results"][0].keys() == {"id", "score", "title", "body", "fields", "match", "highlights"}


def test_only_speech_is_sent_where_the_client_finds_it(
    server: Server, sample_files: list[Path], conversation: Path
) -> None:
    ready = 'sayseek_speculative_finals_total{outcome="used"}'
    before = server.metric(ready)
    done = sayseek("listen", "--json", "--endpointing", "client", "--server", server.address, "--file", conversation)
    assert done.returncode == 0, done.stderr
    *events, sent = [json.loads(line) for line in done.stdout.splitlines()]
    finals = [event for event in events if event["type"] == "Final"]
    assert [folded(final["results"][0]["title"]) for final in finals] == [
        city_of(sample_files[0]),
        city_of(sample_files[-2]),
    ]
    assert server.metric(ready) == before + 2
    assert 4 <= finals[0]["start"] < 4.8
    assert finals[1]["start"] > finals[0]["end"] + 3
    assert sent["type"] == "Sent"
    assert sent["heard_bytes"] == pytest.approx(2 * RATE * soundfile.info(conversation).duration, rel=0.01)
    assert sent["saved"] == pytest.approx(1 - sent["sent_bytes"] / sent["heard_bytes"], abs=1e-4)
    assert 0.6 < sent["saved"] < 0.9


def test_people_read_how_much_was_saved(server: Server, sample_files: list[Path]) -> None:
    file = sample_files[0]
    done = sayseek("listen", "--endpointing", "client", "--server", server.address, "--file", file)
    assert city_of(file) in folded(done.stdout)
    assert "% saved." in done.stderr


def test_silence_is_told(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "silence.wav"
    soundfile.write(file, np.zeros(RATE, np.int16), RATE)
    done = sayseek("listen", "--server", server.address, "--file", file)
    assert (done.returncode, done.stdout.strip()) == (0, "Nothing was heard (no speech).")


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["--file", "nowhere.wav"], 1, "nowhere.wav: cannot be read"),
        (["--file", "README.md"], 1, "README.md: This cannot be played"),
        (["--model", "none"], 1, "The model 'none' is not served"),
        (["--language", "xx"], 1, "xx"),
        (["--keyword", "Oslo:loud"], 1, "intensifier"),
        (["--endpointing", "nobody"], 2, "client"),
        (["--server", "http://127.0.0.1:9"], 3, "make serve"),
    ],
)
def test_what_is_wrong_is_told(
    server: Server, sample_files: list[Path], arguments: list[str], status: int, told: str
) -> None:
    given: list[object] = ["--server", server.address, "--file", sample_files[0], *arguments]
    done = sayseek("listen", *given)
    assert done.returncode == status
    assert told in done.stderr


def test_a_server_that_lets_nobody_in_is_told(start_server: StartServer, sample_files: list[Path]) -> None:
    with start_server(model="tiny.en", sample_catalogue="false", max_listeners=0, api_key="right") as server:
        arguments = ["listen", "--server", server.address, "--file", sample_files[0], "--api-key"]
        wrong, busy = sayseek(*arguments, "wrong"), sayseek(*arguments, "right")
    assert wrong.returncode == 1
    assert "--api-key" in wrong.stderr
    assert busy.returncode == 4
    assert "stayed busy" in busy.stderr


def test_what_was_said_before_a_recording_breaks_off_is_answered(
    server: Server, sample_files: list[Path], conversation: Path, tmp_path: Path
) -> None:
    samples, rate = soundfile.read(conversation, dtype="int16")
    whole = tmp_path / "whole.flac"
    soundfile.write(whole, samples, rate)
    broken = tmp_path / "broken.flac"
    broken.write_bytes(whole.read_bytes()[: whole.stat().st_size * 3 // 4])
    done = sayseek("listen", "--server", server.address, "--file", broken)
    assert city_of(sample_files[0]) in folded(done.stdout)
    assert done.returncode == 1
    assert "broken.flac: The recording cannot be read to its end" in done.stderr


def test_a_pipe_is_played(server: Server, sample_files: list[Path]) -> None:
    command = [PROGRAMS / "sayseek", "listen", "--server", server.address, "--file", "-"]
    with sample_files[0].open("rb") as file:
        done = subprocess.run(command, stdin=file, capture_output=True, text=True, timeout=60, check=True)
    assert city_of(sample_files[0]) in folded(done.stdout)


def test_on_a_terminal_the_words_stand_in_one_line_until_they_are_final(
    server: Server, sample_files: list[Path]
) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        command = [PROGRAMS / "sayseek", "listen", "--server", server.address, "--file", sample_files[0]]
        with subprocess.Popen(command, stdout=theirs, stderr=theirs, env=os.environ | {"TERM": "xterm"}) as listening:
            os.close(theirs)
            shown = drained(terminal).decode()
            assert listening.wait(60) == 0
    assert shown.index("Listening") < shown.index("\x1b[2K") < shown.rindex(" - 0:0")
    assert city_of(sample_files[0]) in folded(shown[shown.rindex(" - 0:0") :])


def test_ctrl_c_ends_the_recording_and_answers_what_was_said(server: Server, conversation: Path) -> None:
    """A recording that played on would take the rest of it, at its own pace, and then the wait for its last final.

    The final tells both: where in the recording Ctrl-C came, and how long it was waited for.
    """
    command = [PROGRAMS / "sayseek", "listen", "--json", "--server", server.address, "--file", conversation]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as listening:
        try:
            assert listening.stdout
            while json.loads(listening.stdout.readline())["type"] != "Interim":
                pass
            began = time.monotonic()
            listening.send_signal(signal.SIGINT)
            events = [json.loads(line) for line in listening.stdout]
            assert listening.wait(30) == 0
            took = time.monotonic() - began
        finally:
            listening.kill()
    assert [event["type"] for event in events if event["type"] != "Interim"] == ["Final"]
    assert events[-1]["text"]
    rest = soundfile.info(conversation).duration - events[-1]["end"]
    assert took < rest + events[-1]["timings"]["wait_ms"] / 1000


def test_ctrl_c_again_gives_up_an_answer_that_does_not_come(server: Server, conversation: Path) -> None:
    command = [PROGRAMS / "sayseek", "listen", "--json", "--server", server.address, "--file", conversation]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as listening:
        try:
            assert listening.stdout
            assert json.loads(listening.stdout.readline()) == {"type": "Listening"}
            server.process.send_signal(signal.SIGSTOP)
            deadline = time.monotonic() + 20  # after which it has failed; a second Ctrl-C is enough
            while listening.poll() is None and time.monotonic() < deadline:
                listening.send_signal(signal.SIGINT)
                time.sleep(0.2)  # two at once would count as one
            assert listening.wait(1) == 130
        finally:
            server.process.send_signal(signal.SIGCONT)
            listening.kill()
