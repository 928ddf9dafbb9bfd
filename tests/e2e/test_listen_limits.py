"""Listeners that are slow, silent, gone, too many or too much: each has a limit, and gives back what it held."""

import contextlib
import json
import socket
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import httpx
import numpy as np
import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from server.live.rate_limit import BURST_SECONDS, PACE
from tests.e2e.conftest import Server, StartServer
from tests.e2e.listening import WAIT, Listener, listening, recording, silence, spoken, text
from tests.e2e.test_load import wait_until

KEY = "abc123"
AUTHORISED = {"Authorization": f"Token {KEY}"}
LISTENER_TIMEOUT = 2  # seconds


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> Iterator[Server]:
    settings = {"api_key": KEY, "listener_timeout": LISTENER_TIMEOUT, "max_listeners": 3}
    with start_server(model="tiny.en", sample_catalogue="false", **settings) as server:
        yield server


@pytest.fixture(autouse=True)
def nobody_is_left(server: Server) -> Iterator[None]:
    """Whatever a listener does, it frees its place and its socket, and nothing of it is an error in the log."""
    yield
    wait_until(lambda: server.metric("sayseek_listeners ") == 0)
    log = "".join(server.log)
    assert "Traceback" not in log
    assert "ERROR" not in log


def address(server: Server, path: str = "/v1/listen") -> str:
    return server.address.replace("http", "ws", 1) + path


def test_a_silent_client_is_told_and_closed(server: Server) -> None:
    """After the server's own limit; one that began anew with what the server sends would take twice as long, or longer.

    To the limit comes what it takes to connect and to close, measured just before with a client that is not silent.
    """
    began = time.monotonic()
    with listening(server, AUTHORISED) as listener:
        assert listener.close_stream() == 1000
        connecting_and_closing = time.monotonic() - began
    began = time.monotonic()
    with listening(server, AUTHORISED) as listener:
        assert listener.rest() == 1011
        took = time.monotonic() - began
    assert LISTENER_TIMEOUT <= took < 2 * LISTENER_TIMEOUT + connecting_and_closing
    kinds = [message["type"] for message in listener.messages]
    assert kinds == ["Metadata", "Error", "Metadata"]
    assert listener.messages[1]["error"]["code"] == "NET-0001"


def test_a_client_that_falls_silent_gets_what_it_said(server: Server, sample_files: list[Path]) -> None:
    with listening(server, AUTHORISED, endpointing="false") as listener:
        listener.send(recording(sample_files[0]).tobytes())
        assert listener.rest() == 1011
    assert len(listener.finals) == 1
    assert text(listener.finals[0])


def test_keep_alive_keeps_it_alive(server: Server) -> None:
    with listening(server, AUTHORISED) as listener:
        for _ in range(3):
            time.sleep(1)
            listener.tell("KeepAlive")
        assert listener.close_stream() == 1000


def test_a_message_of_10_mb_is_refused(server: Server) -> None:
    with listening(server, AUTHORISED) as listener:
        with contextlib.suppress(ConnectionClosed):  # it need not have been taken to its end
            listener.socket.send(bytes(10_000_000))
        assert listener.rest() == 1009


def test_ten_thousand_tiny_messages_are_heard_and_others_do_not_wait_for_it(
    server: Server, sample_files: list[Path]
) -> None:
    """They come in one packet, with a message behind them that is answered at once. The last sample is torn in two.

    How long others may wait follows from how long the server takes to read all those messages. Where it read one after
    the other without a break, a request would wait for half of that time in the median, or for all of it.
    """
    pcm = spoken(sample_files[0])
    packet = b"".join(masked(0x2, pcm[at : at + 1]) for at in range(len(pcm) - 10_000, len(pcm)))
    waits: list[float] = []
    with (
        listening(server, AUTHORISED) as listener,
        httpx.Client(base_url=server.address) as others,
        ThreadPoolExecutor(1) as pool,
    ):
        listener.send(pcm[:-10_000], 16_000)
        sent = time.monotonic()
        listener.socket.socket.sendall(packet + masked(0x1, b"Reticulate"))
        reading = pool.submit(seconds_until_error, listener, sent)
        while not reading.done():
            began = time.monotonic()
            assert others.get("/healthz").status_code == 200
            waits.append(time.monotonic() - began)
        assert listener.close_stream() == 1000
    assert len(listener.finals) == 1
    assert listener.messages[-1]["duration"] == pytest.approx(len(pcm) / 32_000, abs=0.001)
    assert median(waits) < reading.result() / 8


def seconds_until_error(listener: Listener, began: float) -> float:
    """Wait for the next Error; how many seconds after `began` it comes."""
    listener.next("Error")
    return time.monotonic() - began


def test_an_hour_of_audio_at_full_speed_does_not_fill_the_memory(server: Server, sample_files: list[Path]) -> None:
    """It is read no faster than it is recognised."""
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    most = 0
    with listening(server, AUTHORISED, search="false") as listener:
        said = spoken(sample_files[0]) * 10
        for _ in range(3):
            listener.send(said, 64_000)
            most = max(most, process.memory_info().rss - before)
        assert listener.close_stream() == 1000
    assert len(listener.finals) == 30
    assert most < 50_000_000


def test_who_sends_silence_as_fast_as_it_can_is_read_no_faster_than_is_fair(server: Server) -> None:
    """One such client had a processor to itself: nothing but finals that are due kept the server from reading on.

    The time follows from the server's own limits: all but the burst comes at the pace that a listener is allowed.
    """
    with listening(server, AUTHORISED) as listener:
        began = time.monotonic()
        listener.send(silence(90).tobytes(), 64_000)
        assert listener.close_stream() == 1000
        assert time.monotonic() - began > (90 - BURST_SECONDS) / PACE
    assert listener.messages[-1]["duration"] == 90


def test_a_client_that_vanishes_frees_everything(server: Server, sample_files: list[Path]) -> None:
    handles = psutil.Process(server.process.pid).num_fds()
    for _ in range(3):
        with listening(server, AUTHORISED, interim_results="true") as listener:
            listener.send(spoken(sample_files[0])[:90_000])
            # A close without a good-bye: the connection is reset.
            raw = listener.socket.socket
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            listener.socket.socket.close()
        wait_until(lambda: server.metric("sayseek_listeners ") == 0)
    wait_until(lambda: psutil.Process(server.process.pid).num_fds() <= handles + 1)
    assert server.metric("sayseek_queue_depth") == 0
    assert "Traceback" not in "".join(server.log)


def test_garbage_neither_breaks_the_server_nor_shows_in_its_log(server: Server) -> None:
    random = np.random.default_rng(0)
    for _ in range(3):
        with listening(server, AUTHORISED, sample_rate=44_100, channels=2, interim_results="true") as listener:
            for _ in range(50):
                listener.socket.send(random.bytes(int(random.integers(0, 5_000))))
                listener.socket.send(random.bytes(20).decode("latin-1"))
            assert listener.close_stream() == 1000
    with listening(server, AUTHORISED) as listener:
        listener.socket.socket.sendall(random.bytes(1_000))
        assert listener.rest() in (1002, 1006, 1009)


def test_text_that_is_not_utf8_is_refused(server: Server) -> None:
    with listening(server, AUTHORISED) as listener:
        listener.socket.send(b"\xff\xfe", text=True)
        assert listener.rest() == 1007
    for goodbye in (masked(0x8, struct.pack("!H", 1000)), b""):  # in the same packet, or none
        with listening(server, AUTHORISED) as listener:
            listener.socket.socket.sendall(masked(0x1, b"\xff") + goodbye)
            assert listener.rest() in (1000, 1007)


def masked(opcode: int, payload: bytes) -> bytes:
    """A frame of a client's."""
    return bytes((0x80 | opcode, 0x80 | len(payload), 0, 0, 0, 0)) + payload


def test_no_key_and_a_wrong_one_are_refused_at_the_handshake(server: Server) -> None:
    for headers in (None, {"Authorization": "Token wrong"}, {"Authorization": "Basic abc123"}):
        with pytest.raises(InvalidStatus) as refused:
            connect(address(server), additional_headers=headers)
        response = refused.value.response
        assert response.status_code == 401
        assert response.body
        assert json.loads(response.body)["error"]["code"] == "invalid_api_key"


def test_a_key_may_come_as_a_subprotocol(server: Server) -> None:
    with connect(address(server), subprotocols=[Subprotocol("token"), Subprotocol(KEY)]) as socket_:
        assert socket_.subprotocol == "token"
        assert json.loads(socket_.recv(WAIT))["type"] == "Metadata"
    with pytest.raises(InvalidStatus):
        connect(address(server), subprotocols=[Subprotocol("token"), Subprotocol("wrong")])


def refusal_of_a_page(server: Server, path: str, key: str = KEY) -> tuple[str, int]:
    """The error's code, and that of the close."""
    protocols = [Subprotocol("token"), Subprotocol(key)]
    with connect(address(server, path), subprotocols=protocols, origin=Origin(server.address)) as socket_:
        error = json.loads(socket_.recv(WAIT))
        assert error["type"] == "Error"
        with pytest.raises(ConnectionClosed) as closed:
            socket_.recv(WAIT)
        assert closed.value.rcvd
        return error["error"]["code"], closed.value.rcvd.code


def test_a_page_learns_why_it_is_refused(server: Server) -> None:
    """A browser shows its page neither the status nor the body of a handshake that failed."""
    assert refusal_of_a_page(server, "/v1/listen", key="wrong") == ("invalid_api_key", 1008)
    assert refusal_of_a_page(server, "/v1/listen?sample_rate=1") == ("invalid_request", 1008)


def test_a_foreign_page_is_refused_at_the_handshake(server: Server) -> None:
    """Nothing is accepted, with the right key neither: any site could search what its visitor can reach."""
    protocols = [Subprotocol("token"), Subprotocol(KEY)]
    for origin in ("http://page.example", "null", server.address + "0"):
        with pytest.raises(InvalidStatus) as refused:
            connect(address(server), subprotocols=protocols, origin=Origin(origin))
        assert refused.value.response.status_code == 403
        assert json.loads(refused.value.response.body)["error"]["code"] == "origin_not_allowed"


def test_a_page_that_leaves_before_it_is_refused(server: Server) -> None:
    host, _, port = server.address.removeprefix("http://").partition(":")
    for _ in range(30):
        with socket.create_connection((host, int(port))) as page:
            page.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            page.sendall(
                b"GET /v1/listen HTTP/1.1\r\nHost: x\r\nOrigin: http://x\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )


@pytest.mark.parametrize(
    ("query", "status", "code", "param"),
    [
        ("sample_rate=1", 400, "invalid_request", "sample_rate"),
        ("encoding=opus", 400, "invalid_request", "encoding"),
        ("language=de", 400, "unknown_language", "language"),
        ("model=large", 404, "model_not_found", "model"),
    ],
)
def test_what_is_not_to_be_had_is_refused_at_the_handshake(
    server: Server, query: str, status: int, code: str, param: str
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(address(server, f"/v1/listen?{query}"), additional_headers=AUTHORISED)
    response = refused.value.response
    error = json.loads(response.body or b"{}")["error"]
    assert (response.status_code, error["code"], error["param"]) == (status, code, param)
    assert param in response.headers["dg-error"] or param in error["message"]


def test_one_listener_too_many_is_told_to_come_back(server: Server) -> None:
    with listening(server, AUTHORISED), listening(server, AUTHORISED), listening(server, AUTHORISED):
        with pytest.raises(InvalidStatus) as refused:
            connect(address(server), additional_headers=AUTHORISED)
        assert refused.value.response.status_code == 503
        assert int(refused.value.response.headers["retry-after"]) >= 1
        assert refusal_of_a_page(server, "/v1/listen") == ("overloaded", 1013)
    wait_until(lambda: server.metric("sayseek_listeners ") == 0)
    with listening(server, AUTHORISED) as listener:
        assert listener.close_stream() == 1000


def test_without_a_websocket_it_says_what_to_do(server: Server) -> None:
    answer = httpx.get(f"{server.address}/v1/listen", headers=AUTHORISED)
    assert answer.status_code == 426
    assert "WebSocket" in answer.json()["error"]["message"]


def test_neither_words_nor_keys_are_in_the_log(server: Server, sample_files: list[Path]) -> None:
    with connect(address(server), subprotocols=[Subprotocol("token"), Subprotocol(KEY)]) as socket_:
        listener = Listener(socket_)
        listener.send(spoken(sample_files[0]))
        assert listener.close_stream() == 1000
    said = text(listener.finals[0]).lower().split()
    mine = f"listener id={listener.messages[0]['request_id']} code=1000"
    wait_until(lambda: any(mine in line and "utterances=1" in line for line in server.log))
    log = "".join(server.log).lower()
    assert KEY not in log
    assert not [word for word in said if len(word) > 4 and word in log]


def test_silence_costs_no_recognition(server: Server) -> None:
    before = server.metric("sayseek_windows_heard_total")
    with listening(server, AUTHORISED, endpointing="false") as listener:
        listener.send(silence(10).tobytes())
        listener.tell("Finalize")
        assert text(listener.next("Results")) == ""
        assert listener.close_stream() == 1000
    assert server.metric("sayseek_windows_heard_total") == before
