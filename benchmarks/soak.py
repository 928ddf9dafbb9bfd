"""Listeners that come and go as they please: some speak, some vanish, some send what is no audio and no message."""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import psutil
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from benchmarks.served import Served
from benchmarks.streams import CLOSE, address_of, speak
from vad.frames import SAMPLE_RATE
from vad.utterances import Samples

CLIENTS = 12
MESSAGE_SECONDS = 0.1
SETTLE_SECONDS = 5.0  # until what clients have left behind is freed
TOO_LARGE = 2_000_000  # bytes
GARBAGE = ("{", "null", '{"type": 7}', '{"type": "Finalise"}', "[" * 10_000, "\0", "é" * 1000)


@dataclass(frozen=True)
class Reading:
    """The server with nobody connected."""

    megabytes: float
    handles: int
    threads: int

    @classmethod
    def of(cls, server: Served) -> "Reading":
        process = psutil.Process(server.pid)
        with process.oneshot():
            return cls(process.memory_info().rss / 1e6, process.num_fds(), process.num_threads())


class Client:
    """One that does one thing after another, at random."""

    def __init__(self, address: str, speech: Sequence[Samples], seed: int) -> None:
        self._random = random.Random(seed)
        self._speech = speech
        self._address = address

    async def until(self, deadline: float) -> int:
        """Gives how many connections it had."""
        connections = 0
        while time.monotonic() < deadline:
            # It was refused, or closed, or closed itself: all of that is meant.
            with contextlib.suppress(ConnectionClosed, InvalidHandshake, OSError, TimeoutError, EOFError):
                if self._random.random() < 0.1:
                    await self._knock()
                else:
                    await self._connect()
            connections += 1
        return connections

    async def _connect(self) -> None:
        options = self._random.choice(
            ({"interim_results": "true"}, {"endpointing": "false"}, {"search": "interim"}, {"sample_rate": 7})
        )
        habits: list[Callable[[ClientConnection], Awaitable[None]]] = [
            *(self._speak, self._speak, self._vanish, self._vanish, self._leave),
            *(self._hurry, self._babble, self._overdo, self._deafen),
        ]
        async with connect(address_of(self._address, **options), compression=None, close_timeout=5) as socket:
            await self._random.choice(habits)(socket)

    def _piece(self, seconds: float) -> Samples:
        samples = self._random.choice(self._speech)
        at = self._random.randrange(len(samples) // 2)
        return samples[at : at + round(self._random.uniform(0.2, seconds) * SAMPLE_RATE)]

    async def _speak(self, socket: ClientConnection) -> None:
        speaking = asyncio.create_task(speak(socket, self._piece(8), MESSAGE_SECONDS))
        async for _ in socket:
            pass
        await speaking

    async def _vanish(self, socket: ClientConnection) -> None:
        """As one whose process is killed, or whose network is gone."""
        for _ in range(self._random.randrange(30)):
            await socket.send(self._piece(0.3).tobytes())
            await asyncio.sleep(MESSAGE_SECONDS)
        socket.transport.abort()

    async def _leave(self, socket: ClientConnection) -> None:
        await socket.send(self._piece(2).tobytes())

    async def _hurry(self, socket: ClientConnection) -> None:
        """Faster than anybody speaks."""
        for _ in range(20):
            await socket.send(self._piece(2).tobytes())
        await socket.send(CLOSE)
        async for _ in socket:
            pass

    async def _babble(self, socket: ClientConnection) -> None:
        for _ in range(20):
            await socket.send(self._random.choice(GARBAGE))
            await socket.send(self._random.randbytes(self._random.randrange(5000)))

    async def _overdo(self, socket: ClientConnection) -> None:
        await socket.send(bytes(TOO_LARGE))
        async for _ in socket:
            pass

    async def _deafen(self, socket: ClientConnection) -> None:
        """Speaks, and reads nothing."""
        socket.transport.pause_reading()
        await speak(socket, self._piece(8), MESSAGE_SECONDS)
        socket.transport.abort()

    async def _knock(self) -> None:
        """Sends bytes that are no HTTP at all."""
        parts = urlsplit(self._address)
        _, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(self._random.randbytes(self._random.randrange(1, 3000)))
        await writer.drain()
        writer.close()
        await writer.wait_closed()


async def soak(server: Served, speech: Sequence[Samples], seconds: float, rounds: int) -> tuple[int, list[Reading]]:
    """Connections, and the readings before and after each round, when everybody has left."""
    readings = [Reading.of(server)]
    connections = 0
    for number in range(rounds):
        deadline = time.monotonic() + seconds / rounds
        clients = [Client(server.address, speech, CLIENTS * number + client) for client in range(CLIENTS)]
        connections += sum(await asyncio.gather(*(client.until(deadline) for client in clients)))
        await asyncio.sleep(SETTLE_SECONDS)
        readings.append(Reading.of(server))
    return connections, readings
