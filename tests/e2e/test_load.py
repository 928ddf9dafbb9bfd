"""Many at once: same answers, a loop that never waits, honest refusals, and room for those who stay."""

import asyncio
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest

from asr.audio.decode import Samples, decode_audio
from tests.asr.noises import at_level
from tests.asr.recordings import with_sndfile
from tests.e2e.conftest import Server, StartServer


def clips(sample_files: list[Path], count: int) -> list[bytes]:
    """Different clips: each sample at several levels, in its own noise."""
    rng = np.random.default_rng(0)
    made = []
    for i in range(count):
        samples = decode_audio(sample_files[i % len(sample_files)].read_bytes()).samples
        noise = rng.normal(0, 0.003 * (i // len(sample_files)), len(samples)).astype(np.float32)
        made.append(with_sndfile(at_level(samples, -20 - i % 5) + noise, "FLAC"))
    return made


def what_was_heard(response: httpx.Response) -> dict[str, object]:
    """An answer without what differs from one time to the next."""
    assert response.status_code == 200, response.text
    answer = response.json()
    del answer["id"], answer["timings"]
    return answer


async def ask_all(server: Server, uploads: list[bytes]) -> list[httpx.Response]:
    async with httpx.AsyncClient(timeout=300) as client:
        url = f"{server.address}/v1/voice-search"
        return await asyncio.gather(*(client.post(url, files={"file": ("clip", data)}) for data in uploads))


def long_clip(speech: Samples, times: int = 36) -> bytes:
    """A query over and over, without a pause."""
    return with_sndfile(np.tile(speech, times), "FLAC")


def wait_until(condition, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.02)


def test_32_clips_at_once_are_answered_as_each_is_alone(start_server: StartServer, sample_files: list[Path]) -> None:
    """By a server that would rather let all of them wait than turn some away."""
    uploads = clips(sample_files, 32)
    with start_server(max_delay=60) as server:
        together = [what_was_heard(response) for response in asyncio.run(ask_all(server, uploads))]
        assert len({str(answer["transcript"]["text"]) for answer in together}) >= len(sample_files)
        for upload, answer in zip(uploads, together, strict=True):
            assert what_was_heard(server.ask(upload, alternatives=3)) == answer


def test_the_event_loop_answers_while_the_model_works(server: Server, speech: Samples) -> None:
    """How often follows from how many windows are heard meanwhile, however long the model takes for one.

    A loop that waited for the model would answer once, or once for each window. The clip is short enough for a slow
    processor to answer it within the server's own time limit.
    """
    before = server.metric("sayseek_windows_heard_total")

    async def scenario() -> int:
        async with httpx.AsyncClient(timeout=300, base_url=server.address) as client:
            clip = {"file": ("clip", long_clip(speech, 16))}
            working = asyncio.create_task(client.post("/v1/voice-search", files=clip))
            answered = 0
            while not working.done():
                assert (await client.get("/healthz")).status_code == 200
                answered += 1
            assert (await working).status_code == 200
            return answered

    answered = asyncio.run(scenario())
    windows = server.metric("sayseek_windows_heard_total") - before
    assert windows > 1
    assert answered > 10 * windows


def test_a_full_server_answers_some_and_tells_the_others_when_to_come_back(
    start_server: StartServer, sample_files: list[Path]
) -> None:
    with start_server(model="tiny.en", max_queue=2, queue_wait=0.05) as server:
        responses = asyncio.run(ask_all(server, clips(sample_files, 12)))
        statuses = [response.status_code for response in responses]
        assert set(statuses) == {200, 503}
        for response in responses:
            if response.status_code == 503:
                assert int(response.headers["retry-after"]) >= 1
                assert response.json()["error"]["code"] == "overloaded"
        assert what_was_heard(server.ask(clips(sample_files, 1)[0]))


def test_a_client_that_leaves_is_dropped(server: Server, speech: Samples) -> None:
    before = server.metric("sayseek_disconnects_total")
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{server.address}/v1/voice-search",
            files={"file": ("clip", long_clip(speech))},
            timeout=httpx.Timeout(60, read=0.5),
        )
    wait_until(lambda: server.metric("sayseek_disconnects_total") == before + 1)
    wait_until(lambda: server.metric("sayseek_queue_depth") == 0)


def test_clients_that_vanish_leave_nothing_behind(start_server: StartServer, speech: Samples) -> None:
    with start_server(model="tiny.en", sample_catalogue="false") as server:
        form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n%b\r\n--x--\r\n'
        body = form % with_sndfile(speech, "FLAC")
        upload = (
            b"POST /v1/voice-search HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n%b" % (len(body), body)
        )
        half_documents = b"PUT /v1/documents HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n["
        for sent in (upload[:40], upload[:1000], upload, half_documents) * 10:
            connect(server, sent).close()
        wait_until(lambda: server.metric('sayseek_requests_total{method="PUT"') == 10)
        wait_until(lambda: server.metric('sayseek_requests_total{method="POST"') == 20)
        assert server.metric("sayseek_queue_depth") == 0
        assert server.metric('sayseek_errors_total{code="internal_error"') == 0
        assert "Traceback" not in "".join(server.log)


def test_silent_connections_keep_nobody_out(start_server: StartServer) -> None:
    """A thousand of them took every file descriptor; /healthz hung and the log grew by megabytes a second."""
    with start_server(model="tiny.en", sample_catalogue="false", max_connections=20) as server, ExitStack() as silent:
        for i in range(100):
            silent.enter_context(connect(server, b"GET /" if i % 2 else b""))
        assert httpx.get(f"{server.address}/healthz").status_code == 200
        assert psutil.Process(server.process.pid).num_fds() < 60
        assert "out of system resource" not in "".join(server.log)


def connect(server: Server, sent: bytes) -> socket.socket:
    url = httpx.URL(server.address)
    connection = socket.create_connection((url.host, url.port), timeout=60)
    connection.sendall(sent)
    return connection


def test_an_upload_that_never_ends_is_given_up(start_server: StartServer) -> None:
    with start_server(model="tiny.en", upload_timeout=0.5) as server:
        upload = (
            b"POST /v1/voice-search HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
        )
        with connect(server, upload) as connection:
            answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"upload_timeout" in answer
