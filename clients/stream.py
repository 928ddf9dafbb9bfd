"""`Stream`: audio in while somebody speaks, events out, over connections that may break."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from clients import live_protocol
from clients.backlog import PIECE_BYTES, Backlog, Marker
from clients.errors import (
    MalformedAnswer,
    SayseekError,
    ServerError,
    ServerTimeout,
    translated_socket_errors,
)
from clients.events import Event, Failure, Interruption, SpeechStarted, UtteranceEnd
from clients.live_protocol import StreamOptions
from clients.messages import Ended, Message, Results, Started, Trouble, read_message
from clients.retries import Retries, RetryOptions
from clients.timeline import Timeline

BACKLOG_SECONDS = 120.0  # of audio without its finals: an utterance has at most 30, and some may be in work
MOST_MARKS = 1_000  # finalizes and places where audio was left out, that are not answered
MOST_EVENTS = 256  # that wait to be taken
CONTEXT_SECONDS = 5.0  # kept of silence: speech that begins in it may not have been told of
SAME_START_SECONDS = 0.5  # heard again, an utterance may seem to begin a little later
ROUNDING_SECONDS = 0.01  # times come in milliseconds
PING_SECONDS = 1.0
DEAD_SECONDS = 30.0  # without a sign of life; a busy server answers late
STEADY_SECONDS = 5.0  # a connection that lasted so long does not count among those that failed
KEEP_ALIVE_SECONDS = 5.0  # of the 30 after which servers give up who is silent
CLOSING_SECONDS = 1.0  # for the server to agree to a close


class Stream:
    """One stream of speech, as `AsyncClient.stream` opens it, in an `async with` block.

    Send audio with `send` in one task, and iterate over the events in another: with too many not taken, nothing more
    is read. After `finish` the iteration ends with the last event.

    Should the connection break, it is opened again as `retry` says, and what has no final yet is sent once more: no
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
        self._options = options
        self._timeout = timeout
        self._connecting = connecting
        self._reconnecting = reconnecting
        self._ssl = httpx.create_ssl_context() if address.startswith("wss") else None
        self._backlog = Backlog()
        self._timeline = Timeline()
        self._base = 0  # the offset at which the connection began
        self._open: list[int] = []  # offsets of utterances that began and have no final
        self._told_start: int | None = None  # the offset of the last that was told of
        self._told_before = -1  # up to where connections before this one told of them
        self._said: ServerError | None = None
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
            self._skip_to(at)
        for first in range(0, len(audio), PIECE_BYTES):
            await self._room()
            self._backlog.add(audio[first : first + PIECE_BYTES])
            self._added.set()

    async def finalize(self) -> None:
        """The utterance is over: answered by one `Final` with `from_finalize`, empty or not. Raises as `send`."""
        await self._room()
        self._backlog.add_finalize()
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
        with suppress(asyncio.CancelledError):
            await self._task

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
                while not self._error and self._is_full():
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

    def _is_full(self) -> bool:
        marks = self._backlog.unanswered + len(self._timeline)
        return len(self._backlog) >= BACKLOG_SECONDS * self._options.bytes_per_second or marks > MOST_MARKS

    def _skip_to(self, at: float) -> None:
        position = self._timeline.position(self._backlog.end)
        self._timeline.skip(self._backlog.end, max(0, self._size(at) - position))

    async def _run(self, socket: ClientConnection) -> None:
        try:
            await self._talk_on(socket)
        except SayseekError as error:
            self._error = error
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
                max_size=None,
            )

    async def _talk(self, socket: ClientConnection) -> None:
        """Sends and receives until all is answered. Raises what ends the connection before."""
        self._begin()
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

    def _begin(self) -> None:
        """On a new connection all begins again that has no final."""
        self._backlog.rewind()
        self._base = self._backlog.start
        self._open.clear()
        if self._told_start is not None:
            self._told_before = self._told_start + self._size(SAME_START_SECONDS)
        self._said = None
        self._alive_at = _now()

    async def _send_all(self, socket: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            while True:
                self._added.clear()
                piece = self._backlog.next()
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
                sent = self._backlog.sent
                pong = asyncio.ensure_future(await socket.ping())
                while not pong.done():
                    await asyncio.wait([pong], timeout=PING_SECONDS)
                    if _now() - self._alive_at > DEAD_SECONDS and not self._is_behind:
                        socket.transport.abort()
                        return
                self._alive_at = _now()
                await asyncio.sleep(PING_SECONDS)  # what the server tells of it comes meanwhile
                if self._options.endpointing and not self._is_behind:
                    self._release(min([sent, *self._open]) - self._size(CONTEXT_SECONDS))

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
                await self._take_start(self._offset(message.timestamp))
            case Results(is_final=True):
                await self._take_final(message)
            case Results():
                self._offer(message.event(self._moved))
            case Ended():
                await self._tell(UtteranceEnd(self._moved(message.last_word_end)))
            case Trouble():
                self._said = message.server_error()
                if self._said.code != live_protocol.SILENT:  # by choice
                    await self._tell(Failure(self._said))

    async def _take_start(self, offset: int) -> None:
        self._open.append(offset)
        if offset > self._told_before:
            self._told_start = offset
            await self._tell(SpeechStarted(self._seconds(offset)))

    async def _take_final(self, final: Results) -> None:
        end = self._offset(final.end)
        await self._tell(final.event(self._moved))
        self._open = [offset for offset in self._open if offset >= end - self._size(ROUNDING_SECONDS)]
        if not final.from_finalize:
            self._release(end)
        elif not self._backlog.release_finalized():
            raise MalformedAnswer(f"{self._server} answered a Finalize that it was not sent: is it Sayseek?")
        self._forget()

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

    def _release(self, offset: int) -> None:
        self._backlog.release(offset)
        self._forget()

    def _forget(self) -> None:
        self._timeline.forget(self._backlog.start)
        self._released.set()

    def _moved(self, seconds: float) -> float:
        """A time of the connection's as one of the stream's."""
        return self._seconds(self._offset(seconds))

    def _offset(self, seconds: float) -> int:
        return self._base + self._size(seconds)

    def _seconds(self, offset: int) -> float:
        return round(self._timeline.position(offset) / self._options.bytes_per_second, 3)

    def _size(self, seconds: float) -> int:
        """In bytes, whole samples."""
        return round(seconds * self._options.sample_rate) * self._options.sample_bytes


def _now() -> float:
    return asyncio.get_running_loop().time()
