"""Connections whose clients say nothing, say half, or do not listen; on real sockets."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from server.protocols import http as connections
from server.protocols.http import Connection, Connections, connection_limit

WHOLE = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LARGE = 20_000_000  # more than the system keeps for a client that does not read

Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with its path once the whole request is there; /large with more than a client takes unread."""
    if scope["path"] != "/early":
        while (message := await receive()).get("more_body"):
            pass
        if message["type"] == "http.disconnect":
            return
    body = bytes(LARGE) if scope["path"] == "/large" else scope["path"].encode()
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Listening:
    """A server of `Connection`s, and its clients."""

    def __init__(self, state: Connections, port: int) -> None:
        self.state = state
        self.port = port
        self.clients: list[Client] = []

    async def connect(self, sent: bytes = b"") -> Client:
        """A client that has sent this; returns once the server has seen it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**16)
        self.clients.append((reader, writer))
        writer.write(sent)
        for _ in range(20):  # turns of the loop, of which accepting and reading take a few
            await asyncio.sleep(0.001)
        return reader, writer


@asynccontextmanager
async def listening(limit: int = 100) -> AsyncIterator[Listening]:
    config = uvicorn.Config(application, http=Connection, lifespan="off", log_config=None, access_log=False)
    config.load()
    state = Connections(limit)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(config, state, {}), "127.0.0.1", 0)
    there = Listening(state, server.sockets[0].getsockname()[1])
    try:
        yield there
    finally:
        for _, writer in there.clients:
            writer.transport.abort()
        server.close()


async def answer_of(client: Client) -> bytes:
    """What comes until the server closes; nothing where it resets the connection."""
    async with asyncio.timeout(10):
        try:
            return await client[0].read()
        except ConnectionError:
            return b""


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        WHOLE[:10],
        b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n[",
    ],
    ids=["nothing", "half a header", "half a body that nobody waits for"],
)
def test_a_client_that_sends_no_whole_request_is_closed(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand silent sockets once took every file descriptor: nothing ever closed them."""
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.1)

    async def scenario() -> None:
        async with listening() as there:
            await answer_of(await there.connect(sent))
            assert not there.state.waiting

    asyncio.run(scenario())


def test_a_header_that_drips_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.2)

    async def drip(client: Client) -> None:
        while True:
            client[1].write(b"x")
            await asyncio.sleep(0.02)

    async def scenario() -> None:
        async with listening() as there:
            client = await there.connect(b"GET /")
            dripping = asyncio.create_task(drip(client))
            assert await answer_of(client) == b""
            dripping.cancel()

    asyncio.run(scenario())


def test_a_whole_header_stops_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.05)

    async def scenario() -> None:
        async with listening() as there:
            client = await there.connect(
                b"POST /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n1"
            )
            await asyncio.sleep(0.2)
            client[1].write(b"2")
            assert (await answer_of(client)).endswith(b"/slow")

    asyncio.run(scenario())


def test_a_client_that_does_not_take_its_answer_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.05)
    monkeypatch.setattr(connections, "ANSWER_SECONDS", 0.3)

    async def scenario() -> None:
        async with listening() as there:
            client = await there.connect(WHOLE.replace(b"/ ", b"/large "))
            for _ in range(1000):
                if not there.state.connections:
                    break
                await asyncio.sleep(0.01)
            assert len(await answer_of(client)) < LARGE

    asyncio.run(scenario())


def test_a_large_answer_may_take_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.05)

    async def scenario() -> None:
        async with listening() as there:
            client = await there.connect(WHOLE.replace(b"/ ", b"/large "))
            await asyncio.sleep(0.3)
            assert len(await answer_of(client)) > LARGE

    asyncio.run(scenario())


def test_who_has_waited_longest_makes_room() -> None:
    async def scenario() -> None:
        async with listening(limit=3) as there:
            uploading = await there.connect(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n1")
            kept_alive = await there.connect(WHOLE)
            silent = await there.connect()
            assert await asyncio.wait_for(kept_alive[0].readuntil(b"\r\n\r\n"), 10)
            await there.connect()
            assert await answer_of(uploading) == b""
            await there.connect()
            await there.connect()
            assert await answer_of(silent) == b""
            assert len(there.state.connections) == 3
            honest = await there.connect(WHOLE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            assert (await answer_of(honest)).startswith(b"HTTP/1.1 200")

    asyncio.run(scenario())


def test_who_is_being_answered_makes_no_room() -> None:
    async def never(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.Event().wait()

    async def scenario() -> None:
        async with listening(limit=1) as there:
            await there.connect()
            [connection] = there.state.connections
            connection.app = never
            there.clients[0][1].write(WHOLE)
            refused = await there.connect(WHOLE)
            assert await answer_of(refused) == b""
            assert there.state.connections == {connection}

    asyncio.run(scenario())


def test_pipelined_requests_are_answered_in_turn() -> None:
    async def scenario() -> None:
        async with listening() as there:
            last = WHOLE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
            answers = await answer_of(await there.connect(WHOLE * 3 + last))
            assert answers.count(b"HTTP/1.1 200") == 4
            assert not there.state.connections

    asyncio.run(scenario())


def test_a_body_in_tiny_chunks_lets_others_be_answered_meanwhile() -> None:
    """They once had the event loop to themselves for half a second at a time."""

    async def scenario() -> None:
        async with listening() as there:
            head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
            client = await there.connect()
            client[1].write(head + b"1\r\nx\r\n" * 100_000 + b"0\r\n\r\n")
            answer = asyncio.create_task(answer_of(client))
            turns = [time.monotonic()]
            while not answer.done():
                await asyncio.sleep(0)
                turns.append(time.monotonic())
            assert b" 200 " in await answer
            longest = max(later - earlier for earlier, later in pairwise(turns))
            assert longest < (turns[-1] - turns[0]) / 8

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        (b"nonsense\r\n\r\n", b"HTTP/1.1 400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n", b"HTTP/1.1 400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"HTTP/1.1 400"),
        (b"HEAD / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"HTTP/1.1 400"),
        (b"POST /early HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", b"HTTP/1.1 200"),
    ],
    ids=["nonsense", "a header of a megabyte", "a bad chunk", "a bad chunk after HEAD", "a bad chunk after the answer"],
)
def test_what_is_not_http_is_refused_in_the_one_error_body(
    sent: bytes, answered: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with listening() as there:
            client = await there.connect(sent)
            client[1].write(b"zz\r\n")
            answer = await answer_of(client)
            assert answer.startswith(answered) or (answer == b"" and len(sent) > 100_000)
            assert (b'"code":"invalid_request"' in answer) == (b" 400" in answer)
            assert not there.state.connections

    asyncio.run(scenario())
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_the_limit_leaves_descriptors_for_other_uses() -> None:
    assert connection_limit(10) == 10
    assert connection_limit(10**12) < 10**12
