"""A small real WebSocket server that listens as a test scripts it, a connection at a time."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.clients.server import RESULT


@dataclass
class Talk:
    """One connection as the server has it: `audio` and `told` are what came."""

    socket: ServerConnection
    audio: bytearray = field(default_factory=bytearray)
    told: list[str] = field(default_factory=list)

    async def hear(self, size: int) -> None:
        """Receive until so many bytes of audio have come."""
        while len(self.audio) < size:
            await self._receive()

    async def hear_out(self, kind: str = "CloseStream") -> None:
        """Receive until this has been told."""
        while kind not in self.told:
            await self._receive()

    async def tell(self, kind: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": kind} | fields))

    async def answer(self, text: str, start: float, duration: float, **changes: Any) -> None:
        await self.tell("Results", **results(text, start, duration, **changes))

    def drop(self) -> None:
        """As a network that breaks does."""
        self.socket.transport.abort()

    async def _receive(self) -> None:
        message = await self.socket.recv()
        if isinstance(message, bytes):
            self.audio += message
        else:
            self.told.append(json.loads(message)["type"])


Script = Callable[[Talk], Awaitable[None]]


def results(text: str, start: float, duration: float, **changes: Any) -> dict[str, Any]:
    words = [
        {"word": text.lower(), "punctuated_word": text, "start": start, "end": start + duration, "confidence": 0.9}
    ]
    return {
        "start": start,
        "duration": duration,
        "is_final": True,
        "speech_final": True,
        "channel": {"alternatives": [{"transcript": text, "confidence": 0.9, "words": words}]},
        "search": {"query": text.lower(), "results": [RESULT]},
    } | changes


@dataclass
class LiveServer:
    """`refusals` are given first, one per try to connect; then every connection has the next of the scripts."""

    refusals: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    talks: list[Talk] = field(default_factory=list)
    url: str = ""

    @asynccontextmanager
    async def running(self, *scripts: Script) -> AsyncIterator["LiveServer"]:
        """On a free port. After the last script nobody listens there."""
        waiting = list(scripts)

        async def listen(socket: ServerConnection) -> None:
            talk = Talk(socket)
            self.talks.append(talk)
            script = waiting.pop(0)
            if not waiting:
                server.close(close_connections=False)
            with suppress(ConnectionClosed):
                await script(talk)

        async with serve(listen, "127.0.0.1", 0, process_request=self._refused, compression=None) as server:
            self.url = f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
            yield self

    def _refused(self, socket: ServerConnection, request: Request) -> Response | None:
        self.requests.append(request)
        if not self.refusals:
            return None
        status, headers, body = self.refusals.pop(0)
        response = socket.respond(HTTPStatus(status), "")
        response.headers.update(headers)
        response.body = body
        del response.headers["Content-Length"]
        response.headers["Content-Length"] = str(len(body))
        return response


def run(test: Callable[[], Awaitable[None]], seconds: float = 30.0) -> None:
    """Runs an asynchronous test to its end, which must come."""

    async def limited() -> None:
        async with asyncio.timeout(seconds):
            await test()

    asyncio.run(limited())
