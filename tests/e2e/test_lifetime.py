"""Start, stop and being killed: what was acknowledged stays, what is in flight is finished."""

import contextlib
import signal
import socket
import subprocess
import threading
from pathlib import Path

import httpx
import numpy as np
import pytest

from asr.audio.decode import Samples
from tests.asr.recordings import with_sndfile
from tests.e2e.conftest import PROGRAMS, Server, StartServer
from tests.e2e.test_load import connect, wait_until


def ask_in_thread(server: Server, data: bytes) -> tuple[threading.Thread, list[httpx.Response]]:
    """Ask without waiting; the list gets the response, unless the connection breaks."""
    responses: list[httpx.Response] = []

    def ask() -> None:
        with contextlib.suppress(httpx.TransportError):
            responses.append(server.ask(data))

    thread = threading.Thread(target=ask)
    thread.start()
    return thread, responses


def test_sigterm_finishes_what_is_in_flight_and_exits_0(start_server: StartServer, speech: Samples) -> None:
    with start_server(model="tiny.en", sample_catalogue="false", shutdown_timeout=60) as server:
        thread, responses = ask_in_thread(server, with_sndfile(np.tile(speech, 20), "FLAC"))
        wait_until(lambda: server.metric("sayseek_queue_depth") == 1)
        assert server.stop(signal.SIGTERM) == 0
        thread.join(60)
        assert [response.status_code for response in responses] == [200]
        assert responses[0].json()["transcript"]["text"]


def test_sigterm_does_not_wait_beyond_its_deadline(start_server: StartServer, speech: Samples) -> None:
    with start_server(model="tiny.en", sample_catalogue="false", shutdown_timeout=1) as server:
        thread, responses = ask_in_thread(server, with_sndfile(np.tile(speech, 36), "FLAC"))
        wait_until(lambda: server.metric("sayseek_queue_depth") == 1)
        assert server.stop(signal.SIGTERM) == 0
        thread.join(60)
        assert [response.status_code for response in responses] == [503]
        assert responses[0].json()["error"]["code"] == "shutting_down"


HALF_A_CLIP = (
    b"POST /v1/voice-search HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
    b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
)
HALF_A_DOCUMENT = b"PUT /v1/documents HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n["


def test_what_waits_at_the_deadline_is_answered_503(start_server: StartServer, speech: Samples) -> None:
    """A half-sent upload once got a plain-text 500; only what the model worked on was answered."""
    settings = {"max_queue": 2, "queue_wait": 60, "shutdown_timeout": 1}
    with start_server(model="tiny.en", sample_catalogue="false", **settings) as server:
        long = with_sndfile(np.tile(speech, 36), "FLAC")
        asked = [ask_in_thread(server, long) for _ in range(3)]
        wait_until(lambda: server.metric("sayseek_queue_depth") == 3)
        uploading = [connect(server, HALF_A_CLIP), connect(server, HALF_A_DOCUMENT)]
        httpx.get(f"{server.address}/healthz")  # what was sent before has been read by then
        assert server.stop(signal.SIGTERM) == 0
        for connection in uploading:
            answer = whole_answer(connection)
            assert answer.startswith(b"HTTP/1.1 503")
            assert b"retry-after: 5" in answer
            assert b'"code":"shutting_down"' in answer
        for thread, responses in asked:
            thread.join(60)
            assert [response.json()["error"]["code"] for response in responses] == ["shutting_down"]
        assert "Traceback" not in "".join(server.log)


def whole_answer(connection: socket.socket) -> bytes:
    with connection:
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def test_a_second_ctrl_c_gives_up_at_once_and_in_order(start_server: StartServer, speech: Samples) -> None:
    with start_server(model="tiny.en", sample_catalogue="false", shutdown_timeout=600) as server:
        thread, responses = ask_in_thread(server, with_sndfile(np.tile(speech, 36), "FLAC"))
        wait_until(lambda: server.metric("sayseek_queue_depth") == 1)
        uploading = connect(server, HALF_A_CLIP)
        idle = connect(server, b"")
        server.process.send_signal(signal.SIGINT)
        assert whole_answer(idle) == b""  # the first has been obeyed
        assert server.stop(signal.SIGINT) == 0
        assert whole_answer(uploading).startswith(b"HTTP/1.1 503")
        thread.join(60)
        assert len(responses) == 1
        assert "Traceback" not in "".join(server.log)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_obeyed_before_anything_is_loaded(tmp_path: Path, how: signal.Signals) -> None:
    """While torch was imported, SIGTERM ended the process with -15 and Ctrl-C with a traceback."""
    process = subprocess.Popen(
        [PROGRAMS / "sayseek-server", "serve", "--port", "0"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr
    assert "Starting Sayseek" in process.stderr.readline()
    process.send_signal(how)
    assert process.wait(30) == 0
    assert process.stderr.read() == ""


def test_sigterm_is_obeyed_while_the_model_loads(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [PROGRAMS / "sayseek-server", "serve", "--port", "0"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr
    assert any("building the sample" in line for line in process.stderr)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert "model base loaded" not in process.stderr.read()


def test_what_is_said_to_try_can_be_run(server: Server) -> None:
    wait_until(lambda: any("/docs in a browser" in line for line in server.log))
    line = next(line for line in server.log if " ask --server " in line)
    assert Path(line.split()[0]).name == "sayseek"
    assert "curl -F file=@samples/hotels-in-reykjavik.flac" in "".join(server.log)


def test_what_was_acknowledged_survives_a_kill(start_server: StartServer, tmp_path: Path) -> None:
    acknowledged: list[str] = []
    for round_ in range(3):
        with start_server(folder=tmp_path, model="tiny.en", sample_catalogue="false") as server:
            for document_id in acknowledged:
                assert httpx.get(f"{server.address}/v1/documents/{document_id}").status_code == 200
            for i in range(5):
                document = {"id": f"{round_}-{i}", "title": f"Round {round_} number {i}"}
                put = httpx.put(f"{server.address}/v1/documents", json=[document], timeout=30)
                assert put.json() == {"indexed": 1}
                acknowledged.append(document["id"])
            server.stop(signal.SIGKILL)


def test_a_second_start_keeps_the_catalogue(start_server: StartServer, tmp_path: Path) -> None:
    with start_server(folder=tmp_path, model="tiny.en") as server:
        before = httpx.get(f"{server.address}/readyz").json()["documents"]
        assert any("building" in line for line in server.log)
        asked = {"filter": ["countrycode:IS", "population:100000.."], "facets": "country"}
        found = httpx.get(f"{server.address}/v1/search", params=asked).json()
        assert [result["title"] for result in found["results"]] == ["Reykjavík"]
        assert found["facets"] == {"country": {"Iceland": 1}}
        assert server.stop() == 0
    with start_server(folder=tmp_path, model="tiny.en") as server:
        assert httpx.get(f"{server.address}/readyz").json()["documents"] == before
        assert not any("building" in line for line in server.log)


def test_the_owners_catalogue_takes_the_samples_place(start_server: StartServer, tmp_path: Path) -> None:
    catalogue = tmp_path / "teas.csv"
    catalogue.write_text("id,title,body\n1,Darjeeling,black\n2,Sencha,green\n")
    indexing = subprocess.run(
        [PROGRAMS / "sayseek-server", "index", catalogue, "--index", "tantivy:teas"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert indexing.returncode == 0, indexing.stderr
    assert "2 documents" in indexing.stdout
    with start_server(folder=tmp_path, model="tiny.en", index="tantivy:teas") as server:
        found = httpx.get(f"{server.address}/v1/search", params={"q": "sencha"}).json()["results"]
        assert [result["title"] for result in found] == ["Sencha"]
        assert httpx.get(f"{server.address}/readyz").json()["documents"] == 2


def test_a_bad_record_is_named_and_nothing_is_indexed(tmp_path: Path) -> None:
    catalogue = tmp_path / "teas.jsonl"
    catalogue.write_text('{"id": "1", "title": "Darjeeling"}\n{"id": "2"}\n')
    indexing = subprocess.run(
        [PROGRAMS / "sayseek-server", "index", catalogue],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert indexing.returncode == 1
    assert "teas.jsonl, line 2" in indexing.stderr


def serve_and_fail(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [PROGRAMS / "sayseek-server", "serve", "--port", "0", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    return done.stderr


def test_a_start_that_fails_says_why(start_server: StartServer, server: Server, tmp_path: Path) -> None:
    assert "no model 'huge'" in serve_and_fail(tmp_path, "--model", "huge", "--sample-catalogue", "false")
    port = str(httpx.URL(server.address).port)
    assert "another port" in serve_and_fail(tmp_path, "--port", port)
