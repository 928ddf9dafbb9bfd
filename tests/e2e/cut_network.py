"""A network between a client and a server, which breaks where a test wants it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

REFUSED_SECONDS = 1.0


@dataclass
class CutNetwork:
    """Passes on what comes, until so many bytes of the client's have passed: each of `cuts` drops all connections.

    For a second nobody answers then.
    """

    server: str
    cuts: list[int]
    passed: int = 0
    connections: int = 0
    address: str = ""
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)
    _listener: asyncio.Server | None = None
    _port: int = 0
    _coming_back: "asyncio.Task[None] | None" = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator["CutNetwork"]:
        await self._listen()
        self.address = f"http://127.0.0.1:{self._port}"
        yield self
        if self._coming_back:
            await self._coming_back
        assert self._listener
        self._listener.close()
        self._drop()

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._connect, "127.0.0.1", self._port)
        self._port = self._listener.sockets[0].getsockname()[1]

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        server = urlsplit(self.server)
        other_reader, other_writer = await asyncio.open_connection(server.hostname, server.port)
        self._writers += [writer, other_writer]
        with suppress(ConnectionError):
            await asyncio.gather(self._up(reader, other_writer), self._down(other_reader, writer))

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1_000):
            self.passed += len(data)
            if self.cuts and self.passed >= self.cuts[0]:
                self.cuts.pop(0)
                self._coming_back = asyncio.create_task(self._break())
                return
            writer.write(data)
            await writer.drain()
        writer.close()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def _break(self) -> None:
        assert self._listener
        self._listener.close()
        self._drop()
        await asyncio.sleep(REFUSED_SECONDS)
        await self._listen()

    def _drop(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
