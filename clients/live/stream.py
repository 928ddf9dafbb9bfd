"""`Stream`: audio in while somebody speaks, events out, over connections that may break."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from clients.errors import (
    SayseekError,
    ServerError,
    ServerTimeout,
    translated_socket_errors,
)
from clients.live import protocol as live_protocol
from clients.live.backlog import PIECE_BYTES, Marker
from clients.live.events import Event, Failure, Interruption
from clients.live.ledger import BACKLOG_SECONDS, Ledger
from clients.live.messages import Ended, Message, Results, Started, Trouble, read_message
from clients.live.protocol import StreamOptions
from clients.protocol import LARGEST_ANSWER
from clients.retries import Retries, RetryOptions

MOST_EVENTS = 256  # that wait to be taken
PING_SECONDS = 1.0
DEAD_SECONDS = 30.0  # without a sign of life; a busy server answers late
STEADY_SECONDS = 5.0  # a connection that lasted so long does not count among those that failed
KEEP_ALIVE_SECONDS = 5.0  # of the 30 after which servers give up who is silent
CLOSING_SECONDS = 1.0  # for the server to agree to a close


class Stream:
    """One stream of speech, as `AsyncClient.stream` opens it, in an `async with` block.

    Send audio with `send` in one task, and iterate over the events in another: with too many not taken, nothing more
    is read. After `finish` the iteration ends with the last event.

    Should the connection break, it is opened again as `reconnect` says, and what has no final yet is sent once more: no
    utterance is lost, none comes twice, and times go on. Where that fails, `send` and the iteration raise why.
    """

    def __init__(
        self,
        address: str,
        server: str,
        headers: Mapping[str, str],
        options: StreamOptions,
        *,
        timeout: float,
        connecting: RetryOptions,
        reconnecting: RetryOptions,
    ) -> None:
        self._address = address
        self._server = server
        self._headers = headers
        self._timeout = timeout
        self._connecting = connecting
        self._reconnecting = reconnecting
        self._ssl = httpx.create_ssl_context() if address.startswith("wss") else None
        self._ledger = Ledger(options)
        self._said: ServerError | None = None
        self._cut_off: Results | None = None
        self._alive_at = 0.0
        self._is_finished = False
        self._error: SayseekError | None = None
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._taken = asyncio.Event()
        self._added = asyncio.Event()
        self._released = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def send(self, audio: bytes, at: float | None = None) -> None:
        """Send PCM, signed 16 bit little-endian, channels in turn, any number of bytes.

        `at` tells where it lies, in seconds, when silence before it is left out. It waits while too much is sent that
        has no final. Raises `ServerTimeout` when that does not end, and what ended the stream.
        """
        if at is not None:
            await self._room()
            self._ledger.skip_to(at)
        for first in range(0, len(audio), PIECE_BYTES):
            await self._room()
            self._ledger.add(audio[first : first + PIECE_BYTES])
            self._added.set()

    async def finalize(self) -> None:
        """The utterance is over: answered by one `Final` with `from_finalize`, empty or not. Raises as `send`."""
        await self._room()
        self._ledger.add_finalize()
        self._added.set()

    async def finish(self) -> None:
        """There will be no more audio: the iteration ends when all is answered."""
        self._is_finished = True
        self._added.set()

    async def __aenter__(self) -> Self:
        """Connects. Raises what keeps it from that: `NotAuthorized`, `Busy`, `ServerUnreachable`, …"""
        socket = await self._connected(Retries(self._connecting))
        self._task = asyncio.create_task(self._run(socket))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.result()

    async def __aiter__(self) -> AsyncIterator[Event]:
        while (event := await self._events.get()) is not None:
            self._taken.set()
            yield event
        self._events.put_nowait(None)  # for who asks again
        if self._error:
            raise self._error

    async def _room(self) -> None:
        """Waits until more may be kept."""
        try:
            async with asyncio.timeout(self._timeout):
                while not self._error and self._ledger.is_full:
                    self._released.clear()
                    await self._released.wait()
        except TimeoutError as exc:
            raise ServerTimeout(
                f"{self._server} is {BACKLOG_SECONDS:.0f} s of audio behind, and no more is kept. Send it more slowly, "
                "and take the events while sending."
            ) from exc
        if self._error:
            raise self._error
        if self._is_finished:
            raise RuntimeError("the stream is finished: open another")

    async def _run(self, socket: ClientConnection) -> None:
        try:
            await self._talk_on(socket)
        except SayseekError as error:
            self._error = error
            if self._cut_off:
                await self._tell(self._ledger.event(self._cut_off))
        finally:
            self._released.set()
            self._events.put_nowait(None)

    async def _talk_on(self, socket: ClientConnection) -> None:
        """Talks to the server until all is answered, over as many connections as it takes."""
        retries = Retries(self._reconnecting)
        while True:
            began = _now()
            try:
                await self._talk(socket)
                return
            except SayseekError as error:
                if _now() - began > STEADY_SECONDS:
                    retries = Retries(self._reconnecting)
                socket = await self._connected(retries, error)

    async def _connected(self, retries: Retries, error: SayseekError | None = None) -> ClientConnection:
        """A new connection, after `error`. Raises that which the last try met."""
        while True:
            if error:
                wait = retries.wait_after(error)
                self._offer(Interruption(error, wait))
                await asyncio.sleep(wait)
            try:
                return await self._connect()
            except SayseekError as exc:
                error = exc

    async def _connect(self) -> ClientConnection:
        with translated_socket_errors(self._server):
            return await connect(
                self._address,
                additional_headers=self._headers,
                user_agent_header=None,
                open_timeout=min(self._timeout, DEAD_SECONDS),
                close_timeout=CLOSING_SECONDS,
                ping_interval=None,
                compression=None,
                ssl=self._ssl,
                max_size=LARGEST_ANSWER,
            )

    async def _talk(self, socket: ClientConnection) -> None:
        """Sends and receives until all is answered. Raises what ends the connection before."""
        self._ledger.begin()
        self._said = self._cut_off = None
        self._alive_at = _now()
        try:
            async with asyncio.TaskGroup() as tasks:
                helpers = [tasks.create_task(self._send_all(socket)), tasks.create_task(self._watch(socket))]
                await self._receive_all(socket)
                for helper in helpers:
                    helper.cancel()
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        finally:
            await socket.close()

    async def _send_all(self, socket: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            while True:
                self._added.clear()
                piece = self._ledger.next()
                if piece is Marker.FINALIZE:
                    await socket.send(live_protocol.FINALIZE)
                elif piece:
                    await socket.send(piece)
                elif self._is_finished:
                    await socket.send(live_protocol.CLOSE_STREAM)
                    return
                else:
                    await self._wait_for_more(socket)

    async def _wait_for_more(self, socket: ClientConnection) -> None:
        try:
            async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                await self._added.wait()
        except TimeoutError:
            await socket.send(live_protocol.KEEP_ALIVE)

    async def _watch(self, socket: ClientConnection) -> None:
        """Ends a connection that is dead; learns what the server has read, and lets the silence in it go."""
        with suppress(ConnectionClosed):
            while True:
                sent = self._ledger.sent
                if not await self._is_alive(socket):
                    socket.transport.abort()
                    return
                await asyncio.sleep(PING_SECONDS)  # what the server tells of what it has read comes meanwhile
                self._let_go(sent)

    async def _is_alive(self, socket: ClientConnection) -> bool:
        """Whether the server answers a ping, which it reads after what was sent before; or gives other signs of life.

        While events are not taken, nothing is read, neither: that tells nothing.
        """
        pong = asyncio.ensure_future(await socket.ping())
        while not pong.done():
            await asyncio.wait([pong], timeout=PING_SECONDS)
            if _now() - self._alive_at > DEAD_SECONDS and not self._is_behind:
                return False
        self._alive_at = _now()
        return True

    def _let_go(self, offset: int) -> None:
        """Keep no silence that the server has read, up to there, and told no speech in."""
        if not self._is_behind:
            self._ledger.read(offset)
            self._released.set()

    async def _receive_all(self, socket: ClientConnection) -> None:
        try:
            while True:
                text = await socket.recv()
                self._alive_at = _now()
                if message := read_message(text):
                    await self._take(message)
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else None
            if code != live_protocol.DONE or not self._is_finished:
                raise live_protocol.error_of_close(closed, self._server, self._said) from closed

    async def _take(self, message: Message) -> None:
        match message:
            case Started():
                if started := self._ledger.started(message):
                    await self._tell(started)
            case Results(is_final=True, cut_off=True):
                self._cut_off = message  # the next connection hears it whole
            case Results(is_final=True):
                await self._tell(self._ledger.event(message))
                self._ledger.answered(message)
                self._released.set()
            case Results():
                self._offer(self._ledger.event(message))
            case Ended():
                await self._tell(self._ledger.ended(message))
            case Trouble():
                self._said = message.server_error()
                if self._said.code != live_protocol.SILENT:  # by choice
                    await self._tell(Failure(self._said))

    async def _tell(self, event: Event) -> None:
        while self._is_behind:
            self._taken.clear()
            await self._taken.wait()
        self._events.put_nowait(event)

    def _offer(self, event: Event) -> None:
        """What tells of the moment is left out where events are not taken in time."""
        if not self._is_behind:
            self._events.put_nowait(event)

    @property
    def _is_behind(self) -> bool:
        """Whether events are not taken."""
        return self._events.qsize() >= MOST_EVENTS


def _now() -> float:
    return asyncio.get_running_loop().time()
