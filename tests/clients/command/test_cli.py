"""The `sayseek` command, as a process, against a real server."""

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from starlette.responses import JSONResponse, Response

from tests.asr.recordings import with_ffmpeg
from tests.clients.server import RESULT, FakeServer, Never, error, voice_answer

COMMAND = [sys.executable, "-m", "clients.command.cli"]
RATE = 16_000
MISSING = "No such file or directory"


def sayseek(*arguments: object, stdin: bytes = b"", **environment: str) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        env=os.environ | {"COLUMNS": "100"} | environment,
        timeout=60,
        check=False,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def in_shell(line: str, server: FakeServer) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", "-c", f"{' '.join(COMMAND)} {line}"],
        capture_output=True,
        text=True,
        env=os.environ | {"SAYSEEK_SERVER": server.url},
        timeout=60,
        check=False,
    )


def records(done: "subprocess.CompletedProcess[str]") -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def conversation(question: Path, tmp_path: Path) -> Path:
    """A recording of the same query twice, 1.5 s apart."""
    samples, _ = soundfile.read(question, dtype="int16")
    file = tmp_path / "conversation.wav"
    soundfile.write(file, np.concatenate([samples, np.zeros(round(1.5 * RATE), np.int16), samples]), RATE)
    return file


@pytest.fixture
def silence(tmp_path: Path) -> Path:
    file = tmp_path / "silence.wav"
    soundfile.write(file, np.zeros(3 * RATE, np.int16), RATE)
    return file


def test_people_read_what_was_heard_and_found(server: FakeServer, question: Path) -> None:
    done = sayseek("ask", "--server", server.url, question)
    assert done.returncode == 0
    assert done.stderr == ""
    heard, found = done.stdout.split("\n")[:2]
    assert heard == '"Hotels in Reykjavik"'
    assert found.split() == ["1", "Reykjavík", "Capital", "of", "Iceland", "12.5"]


def test_only_the_speech_is_sent(server: FakeServer, question: Path, tmp_path: Path) -> None:
    samples, _ = soundfile.read(question, dtype="int16")
    padded = tmp_path / "padded.wav"
    soundfile.write(padded, np.pad(samples, 20 * RATE), RATE)
    (record,) = records(sayseek("ask", "--json", "--server", server.url, padded))
    assert 20 <= record["start"] < 20.5
    assert record["end"] < 20.1 + len(samples) / RATE
    assert record["cut"] is True
    clip, name = server.received[0].clip or (b"", "")
    assert name == "padded.flac"
    assert len(clip) < 1.1 * question.stat().st_size


def test_an_utterance_a_line_with_the_servers_answer(server: FakeServer, conversation: Path) -> None:
    first, second = records(sayseek("ask", "--json", "--server", server.url, conversation))
    assert first["file"] == second["file"] == str(conversation)
    assert first["start"] < first["end"] < second["start"] < second["end"]
    told = voice_answer(total=None, facets={}, results=[RESULT | {"highlights": {}}])
    assert first["answer"] == json.loads(json.dumps(told))


def test_several_utterances_are_told_by_their_times(server: FakeServer, conversation: Path) -> None:
    lines = sayseek("ask", "--server", server.url, conversation).stdout.splitlines()
    assert [line for line in lines if line.startswith("0:0")] == [lines[0], lines[3]]
    assert lines[0].endswith('"Hotels in Reykjavik"')


def test_the_answers_come_in_the_order_of_the_files(
    server: FakeServer, sample_files: list[Path], silence: Path
) -> None:
    files = [*sample_files, silence, Path("nowhere.wav"), *reversed(sample_files)]
    done = sayseek("ask", "--json", "--jobs", "5", "--server", server.url, *files)
    assert [record["file"] for record in records(done)] == [str(file) for file in files]
    assert done.returncode == 1


def test_options_reach_the_server(server: FakeServer, question: Path) -> None:
    options = ["--limit", 3, "--language", "en", "--model", "base", "--api-key", "hush", "--index", "places"]
    options += ["--filter", "country:IS", "--filter", "-state:TX", "--keyword", "New York", "--keyword", "Akureyri:2"]
    assert sayseek("ask", *options, question, SAYSEEK_SERVER=server.url).returncode == 0
    (received,) = server.received
    assert received.filters == ["country:IS", "-state:TX"]
    assert received.keywords == ["New York", "Akureyri:2"]
    del received.form["filter"], received.form["keywords"]
    assert received.form == {"limit": "3", "language": "en", "model": "base", "index": "places"}
    assert received.headers["authorization"] == "Bearer hush"


def test_a_whole_file_is_sent_as_it_is(server: FakeServer, conversation: Path) -> None:
    (record,) = records(sayseek("ask", "--whole", "--json", "--server", server.url, conversation))
    assert (record["start"], record["end"], record["cut"]) == (None, None, False)
    assert server.received[0].clip == (conversation.read_bytes(), "conversation.wav")


def test_what_cannot_be_cut_here_is_sent_as_it_is(server: FakeServer, question: Path, tmp_path: Path) -> None:
    samples, _ = soundfile.read(question, dtype="float32")
    file = tmp_path / "browser.webm"
    file.write_bytes(with_ffmpeg(samples, "webm", "libopus"))
    (record,) = records(sayseek("ask", "--json", "--server", server.url, file))
    assert record["cut"] is False
    assert server.received[0].clip == (file.read_bytes(), "browser.webm")


def test_standard_input(server: FakeServer, question: Path) -> None:
    (record,) = records(sayseek("ask", "--json", "-", stdin=question.read_bytes(), SAYSEEK_SERVER=server.url))
    assert record["file"] == "-"
    assert record["answer"]["query"] == "hotels in reykjavik"


def test_a_pipe_is_read_as_a_file(server: FakeServer, question: Path) -> None:
    line = f"{' '.join(COMMAND)} ask --json --server {server.url} <(cat {question})"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60, check=True)
    assert [record["cut"] for record in records(done)] == [True]


def test_a_file_without_speech_is_not_sent(server: FakeServer, silence: Path) -> None:
    done = sayseek("ask", "--server", server.url, silence)
    assert done.stdout.strip() == "Nothing was heard (no speech)."
    assert done.returncode == 0
    (record,) = records(sayseek("ask", "--json", "--server", server.url, silence))
    assert record == {"file": str(silence), "start": None, "end": None, "cut": False, "answer": None}
    assert server.received == []


def test_what_the_server_did_not_hear_is_told(server: FakeServer, question: Path) -> None:
    server.answers.append(JSONResponse(voice_answer(text="", verdict="too_short")))
    assert sayseek("ask", "--server", server.url, question).stdout.strip() == "Nothing was heard (too short)."


def test_an_answer_without_results_is_told(server: FakeServer, question: Path) -> None:
    server.answers.append(JSONResponse(voice_answer(results=[])))
    assert "nothing found" in sayseek("ask", "--server", server.url, question).stdout


def test_what_was_found_cannot_drive_the_terminal(server: FakeServer, question: Path) -> None:
    odd = RESULT | {"title": "[red]not markup[/] \x1b[2J", "body": "long \n" * 100}
    server.answers.append(JSONResponse(voice_answer(results=[odd])))
    output = sayseek("ask", "--server", server.url, question).stdout
    assert "[red]not markup[/]" in output
    assert "\x1b" not in output
    assert "…" in output
    assert max(map(len, output.splitlines())) <= 100


def test_nothing_that_is_printed_can_drive_the_terminal(
    server: FakeServer, question: Path, silence: Path, tmp_path: Path
) -> None:
    odd = silence.rename(tmp_path / "[b]a\x1b[2J\nb.wav")
    server.answers += [
        error(413, "bad \x1b]0;title\x07\nline"),
        JSONResponse(voice_answer(text="", verdict="\x1b[2J\x9b2J")),
        Response(json.dumps(voice_answer(text="\ud800 \u202e \x9b2J")), media_type="application/json"),
    ]
    files = [odd, question, question, question, f"{odd}.none"]
    done = sayseek("ask", "--jobs", 1, "--server", server.url, *files)
    assert done.stdout.splitlines()[:2] == [rf"{tmp_path}/[b]a\x1b[2J\nb.wav", "Nothing was heard (no speech)."]
    assert done.stderr.splitlines()[1] == rf"{tmp_path}/[b]a\x1b[2J\nb.wav.none: cannot be read: {MISSING}."
    assert all(c.isprintable() or c == "\n" for c in done.stdout + done.stderr)


def test_what_is_printed_as_json_cannot_drive_the_terminal(server: FakeServer, question: Path) -> None:
    text = "\ud800 \u202e \x9b2J \x7f Reykjavík"
    server.answers.append(Response(json.dumps(voice_answer(text=text)), media_type="application/json"))
    done = sayseek("ask", "--json", "--server", server.url, question)
    assert done.stdout.removesuffix("\n").isprintable()
    assert records(done)[0]["answer"]["transcript"]["text"] == text


def test_a_name_in_no_encoding_is_shown_escaped_and_sent(server: FakeServer, question: Path, tmp_path: Path) -> None:
    file = tmp_path / "caf\udce9.flac"
    file.write_bytes(question.read_bytes())
    missing = f"{tmp_path}/n\udcf6"
    done = sayseek("ask", "--server", server.url, file, missing, question)
    assert done.stdout.splitlines()[0] == rf"{tmp_path}/caf\xe9.flac"
    assert done.stderr.strip() == rf"{tmp_path}/n\xf6: cannot be read: {MISSING}."
    assert done.stdout.count("Hotels in Reykjavik") == 2
    whole = sayseek("ask", "--json", "--whole", "--model", "m\udce9", "--server", server.url, file)
    assert records(whole)[0]["file"] == rf"{tmp_path}/caf\xe9.flac"
    names = {received.clip[1] for received in server.received if received.clip}
    assert names == {r"caf\udce9.flac", question.name}
    assert server.received[-1].form == {"model": r"m\udce9"}


def test_a_terminal_that_has_only_ascii(server: FakeServer, question: Path) -> None:
    done = sayseek("ask", "--server", server.url, question, PYTHONIOENCODING="ascii")
    assert done.stdout.splitlines()[1].split()[1] == "Reykjav?k"
    done = sayseek("ask", "--json", "--server", server.url, question, PYTHONIOENCODING="ascii")
    assert records(done)[0]["answer"]["results"][0]["title"] == "Reykjavík"


@pytest.mark.parametrize("arguments", ["ask {file}", "ask --json {file}", "--version", "--help"])
@pytest.mark.parametrize(
    ("output", "why"), [(">&-", "standard output is closed"), (">/dev/full", "No space left on device")]
)
def test_answers_that_cannot_be_printed_are_told(
    server: FakeServer, question: Path, arguments: str, output: str, why: str
) -> None:
    done = in_shell(f"{arguments.format(file=question)} {output}", server)
    assert done.stderr == f"The answers cannot be printed: {why}.\n"
    assert done.returncode == 1


def test_closed_standard_input_is_told(server: FakeServer, question: Path) -> None:
    done = in_shell(f"ask - {question} <&-", server)
    assert done.stderr == "-: cannot be read: standard input is closed.\n"
    assert "Hotels in Reykjavik" in done.stdout
    assert done.returncode == 1


def test_a_file_whose_disk_fails_is_told_in_one_line(server: FakeServer) -> None:
    done = sayseek("ask", "--server", server.url, "/proc/self/mem")
    assert done.stderr.splitlines() == ["/proc/self/mem: cannot be read: Input/output error."]


def test_a_file_that_fails_does_not_keep_the_others(server: FakeServer, question: Path, tmp_path: Path) -> None:
    server.answers.append(error(413, "The clip is too long. Send at most 300 s."))
    done = sayseek("ask", "--jobs", 1, "--server", server.url, question, tmp_path / "nowhere.wav", tmp_path, question)
    assert done.returncode == 1
    assert "Hotels in Reykjavik" in done.stdout
    assert done.stderr.splitlines() == [
        f"{question}: The clip is too long. Send at most 300 s.",
        f"{tmp_path / 'nowhere.wav'}: cannot be read: {MISSING}.",
        f"{tmp_path}: cannot be read: Is a directory.",
    ]


def test_errors_are_objects_in_the_same_stream(server: FakeServer, question: Path) -> None:
    server.answers.append(error(413, "The clip is too long.", "audio_too_long"))
    done = sayseek("ask", "--json", "--jobs", 1, "--server", server.url, question, "nowhere.wav", question)
    refused, missing, answered = records(done)
    assert refused["error"] == {
        "message": "The clip is too long.",
        "type": "invalid_request_error",
        "param": "file",
        "code": "audio_too_long",
        "status": 413,
    }
    assert missing["error"]["type"] == "FileNotFoundError"
    assert "answer" in answered
    assert (done.returncode, done.stderr) == (1, "")


def test_a_recording_that_breaks_off_is_answered_as_far_as_it_goes(
    server: FakeServer, conversation: Path, tmp_path: Path
) -> None:
    samples, _ = soundfile.read(conversation, dtype="int16")
    file = tmp_path / "broken.flac"
    soundfile.write(file, np.tile(samples, 6), RATE)
    file.write_bytes(file.read_bytes()[:200_000])
    done = sayseek("ask", "--json", "--server", server.url, file)
    *answered, last = records(done)
    assert answered
    assert all("answer" in record for record in answered)
    assert "cannot be read to its end" in last["error"]["message"]
    assert done.returncode == 1


def test_no_server(nobody: str, sample_files: list[Path]) -> None:
    done = sayseek("ask", "--server", nobody, *sample_files)
    assert done.returncode == 3
    (line,) = done.stderr.splitlines()
    assert f"No answer from {nobody}" in line
    assert line.endswith("Is it running? Start it with: make serve")


def test_a_server_that_stays_busy(server: FakeServer, question: Path) -> None:
    server.answers += [error(503, "The model is loading.", Retry_After="0")] * 3
    done = sayseek("ask", "--server", server.url, question)
    assert done.returncode == 4
    assert "The model is loading. The server stayed busy: try again later" in done.stderr


def test_a_missing_key_stops_at_the_first_file(server: FakeServer, question: Path) -> None:
    server.answers.append(error(401, "This server needs a key."))
    done = sayseek("ask", "--server", server.url, "--jobs", 1, question, question)
    assert done.returncode == 1
    assert done.stderr.strip() == (
        f"{question}: This server needs a key. Give the key with --api-key or in SAYSEEK_API_KEY."
    )


def test_a_slow_answer_is_given_up(server: FakeServer, question: Path) -> None:
    server.answers.append(Never())
    done = sayseek("ask", "--timeout", 0.3, "--server", server.url, question)
    assert done.returncode == 1
    assert "did not answer in time" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["ask"],
        ["ask", "--limit", "0", "x.wav"],
        ["ask", "--server", "localhost:8000", "x.wav"],
        ["ask", "--what"],
        ["ask", "-", "-"],
        *(["ask", "--timeout", seconds, "x.wav"] for seconds in ("inf", "nan", "0", "-1", "1e300")),
    ],
)
def test_wrong_usage(arguments: list[str]) -> None:
    done = sayseek(*arguments)
    assert done.returncode == 2
    assert "Usage: " in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [("ALL_PROXY", "socks5://127.0.0.1:9"), ("HTTP_PROXY", "http://a:b"), ("SSL_CERT_FILE", "/nowhere")],
)
def test_an_environment_that_cannot_be_used_is_told(name: str, value: str) -> None:
    done = sayseek("ask", "x.wav", **{name: value})
    assert done.returncode == 2
    assert "names a proxy or certificates" in done.stderr


def test_the_version() -> None:
    assert sayseek("--version").stdout == "sayseek 0.1.0\n"


def test_ctrl_c_leaves_at_once_and_quietly(server: FakeServer, question: Path) -> None:
    server.answers.append(Never())
    process = subprocess.Popen(
        [*COMMAND, "ask", "--server", server.url, question], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert server.asked.wait(30)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=10) == (b"", b"")
    assert process.returncode == 130


def test_a_reader_that_leaves_early_is_no_error(server: FakeServer, sample_files: list[Path]) -> None:
    files = " ".join(map(str, sample_files))
    line = f"{' '.join(COMMAND)} ask --json --server {server.url} {files} | head -n 1"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60, check=False)
    assert records(done)[0]["file"] == str(sample_files[0])
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("files", "shown"), [(3, False), (4, True)])
def test_a_bar_shows_on_a_terminal_when_there_are_many_files(
    server: FakeServer, question: Path, files: int, shown: bool
) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        done = subprocess.run(
            [*COMMAND, "ask", "--json", "--server", server.url, *[question] * files],
            stdout=subprocess.PIPE,
            stderr=theirs,
            env=os.environ | {"TERM": "xterm"},
            timeout=60,
            check=True,
        )
        os.close(theirs)
        assert (b"Asking" in drained(terminal)) is shown
    assert len(done.stdout.splitlines()) == files


def drained(terminal: Any) -> bytes:
    """What was written to a terminal whose other end is closed: Linux ends it with an error."""
    output = b""
    try:
        while piece := terminal.read(65_536):
            output += piece
    except OSError:
        pass
    return output
