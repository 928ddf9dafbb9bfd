"""WebSocket connections whose clients do not take, answer or close, in a server with little patience."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

import server.protocols.websocket
from server.protocols.websocket import WebSocketConnection

WAIT = 10.0  # seconds after which a test has failed

Handler = Callable[[WebSocket], Awaitable[None]]


@contextmanager
def serving(handler: Handler, ping_seconds: float | None = None) -> Iterator[str]:
    """The address of a server with this one WebSocket; it has let go of every connection in the end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        app = Starlette(routes=[WebSocketRoute("/", handler)])
        config = uvicorn.Config(
            app,
            ws=WebSocketConnection,
            ws_ping_interval=ping_seconds,
            ws_ping_timeout=ping_seconds,
            log_level="critical",
            timeout_graceful_shutdown=10,
        )
        program = uvicorn.Server(config)
        thread = threading.Thread(target=program.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"ws://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            program.should_exit = True
            thread.join(WAIT)
            assert not thread.is_alive()
            assert not program.server_state.connections


class Outcome:
    """How an application's connection ended."""

    def __init__(self) -> None:
        self.ended = threading.Event()

    @contextmanager
    def noted(self) -> Iterator[None]:
        try:
            yield
        finally:
            self.ended.set()


def silent_client(address: str) -> socket.socket:
    """One that has connected and does nothing more."""
    host, _, port = address.removeprefix("ws://").partition(":")
    client = socket.create_connection((host, int(port)))
    client.sendall(
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    assert client.recv(1_000).startswith(b"HTTP/1.1 101")
    return client


def test_a_client_that_takes_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.protocols.websocket, "UNTAKEN_SECONDS", 0.3)
    outcome = Outcome()

    async def talkative(websocket: WebSocket) -> None:
        await websocket.accept()
        with outcome.noted():
            while True:
                await websocket.send_text("x" * 100_000)

    with serving(talkative) as address, silent_client(address):
        assert outcome.ended.wait(WAIT)


def test_a_client_that_takes_it_late_is_not_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.protocols.websocket, "UNTAKEN_SECONDS", 5.0)

    async def talkative(websocket: WebSocket) -> None:
        await websocket.accept()
        for _ in range(200):
            await websocket.send_text("x" * 100_000)
        await websocket.close()

    with serving(talkative) as address, connect(address, max_size=None, max_queue=1) as client:
        assert sum(len(message) for message in client) == 20_000_000
        assert client.close_code == 1000


def test_a_client_that_does_not_close_in_its_turn_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.protocols.websocket, "PARTING_SECONDS", 0.3)

    async def brief(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("x" * 50_000)
        await websocket.close()

    with serving(brief) as address, silent_client(address) as client:
        client.settimeout(WAIT)
        with contextlib.suppress(ConnectionResetError):
            while client.recv(65_536):
                pass


def test_the_pings_of_a_client_that_takes_nothing_do_not_pile_up() -> None:
    """Each was answered, and all answers kept, until the client was cut off; now only the latest is."""
    heard = Outcome()

    async def talkative(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("x" * 10_000_000)  # more than the system keeps for the client
        with heard.noted():
            assert await websocket.receive_text() == ""
        await websocket.close()

    pings = [b"\x89\x84\0\0\0\0" + at.to_bytes(4, "big") for at in range(100_000)]
    with serving(talkative) as address, silent_client(address) as client:
        for first in range(0, len(pings), 1_000):
            client.sendall(b"".join(pings[first : first + 1_000]))
        client.sendall(b"\x81\x80\0\0\0\0")
        assert heard.ended.wait(WAIT)
        client.settimeout(WAIT)
        taken = bytearray()
        while b"\x88\x02\x03\xe8" not in taken[-10_000:]:  # the close
            taken += client.recv(1_000_000)
    assert b"\x8a\x04" + pings[-1][-4:] in taken
    assert len(taken) < 10_000_000 + 10_000


def test_a_client_that_answers_no_ping_is_gone() -> None:
    outcome = Outcome()

    async def patient(websocket: WebSocket) -> None:
        await websocket.accept()
        with outcome.noted():
            assert (await websocket.receive())["type"] == "websocket.disconnect"

    with serving(patient, ping_seconds=0.2) as address, silent_client(address):
        assert outcome.ended.wait(WAIT)


def test_a_client_whose_messages_are_not_read_for_long_is_still_there() -> None:
    """Its answer to the ping stands behind what it has sent before."""

    async def busy(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.receive_bytes()
        await asyncio.sleep(1)
        for _ in range(49):
            await websocket.receive_bytes()
        await websocket.send_text("all heard")
        await websocket.close()

    with serving(busy, ping_seconds=0.2) as address, connect(address) as client:
        for _ in range(50):
            client.send(bytes(10_000))
        assert client.recv(WAIT) == "all heard"


def close_code(client: ClientConnection) -> int | None:
    with contextlib.suppress(ConnectionClosed):
        while True:
            client.recv(WAIT)
    return client.close_code


def test_the_reason_of_a_refusal_arrives_while_the_client_still_sends() -> None:
    async def deaf(websocket: WebSocket) -> None:
        await websocket.accept()
        while (await websocket.receive())["type"] != "websocket.disconnect":
            pass

    with serving(deaf) as address, connect(address) as client:
        with contextlib.suppress(ConnectionClosed):
            client.send(bytes(40_000_000))
        assert close_code(client) == 1009


def test_at_shutdown_the_application_says_good_bye() -> None:
    """uvicorn alone closes with 1012 before anything else can be sent."""
    leaving = threading.Event()
    accepted = threading.Event()

    async def polite(websocket: WebSocket) -> None:
        await websocket.accept()
        accepted.set()
        await asyncio.to_thread(leaving.wait, WAIT)
        await asyncio.sleep(0.3)  # the server is shutting down by now
        await websocket.send_text("last words")
        await websocket.close(1001)

    with contextlib.ExitStack() as stack:
        with serving(polite) as address:
            client = stack.enter_context(connect(address))
            assert accepted.wait(WAIT)
            leaving.set()
        assert client.recv(WAIT) == "last words"
        assert close_code(client) == 1001
