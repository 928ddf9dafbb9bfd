"""WebSocket connections: how long the server waits for a client, and how it parts from one."""

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import State

READ_AT_ONCE = 4_096  # bytes; as messages of one byte each they take some 10 ms to parse, and all others wait meanwhile
UNTAKEN_SECONDS = 30.0  # that a client may leave untaken what is sent to it
PARTING_SECONDS = 10.0  # for the client to take the last messages, and to close in its turn
QUIET_SECONDS = 0.3  # after which a client that broke a rule has stopped sending
MAX_MESSAGE_BYTES = 1_000_000  # half a minute of speech at 16 kHz


class Deadline:
    """Calls `missed` when it is not cleared in time."""

    def __init__(self, loop: asyncio.AbstractEventLoop, missed: Callable[[], None]) -> None:
        self._loop = loop
        self._missed = missed
        self._timer: asyncio.TimerHandle | None = None

    def set(self, seconds: float) -> None:
        """From now on there are so many seconds."""
        self.clear()
        self._timer = self._loop.call_later(seconds, self._missed)

    def clear(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None


class WebSocketConnection(WebSocketsSansIOProtocol, asyncio.BufferedProtocol):
    """uvicorn's WebSocket, which does not wait without end for a client, and lets the application end the connection.

    It reads little at once, into a buffer of its own, so that no client has the event loop to itself.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._buffer = bytearray()
        self._is_heard = False  # since the last ping
        self._latest_pong = b""  # where the client does not take what is sent
        self._taking = Deadline(self.loop, self._abort)  # what is sent
        self._falling_quiet = Deadline(self.loop, self._abort)  # after a broken rule
        self._parting = Deadline(self.loop, self._abort)  # after the application's end

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002
        self._buffer = bytearray(READ_AT_ONCE)
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(memoryview(self._buffer)[:nbytes]))

    def data_received(self, data: bytes) -> None:
        self._is_heard = True
        if self.conn.parser_exc is None:
            super().data_received(data)
        else:
            self._falling_quiet.set(QUIET_SECONDS)

    def send_receive_event_to_app(self) -> None:
        """Stop reading when a second message waits, not at the first: each stop and start costs two system calls."""
        if self.curr_msg_data_type == "text" and not _is_utf8(b"".join(self.frames)):
            self._refuse_text()
        elif self.read_paused or not self.queue.empty():
            super().send_receive_event_to_app()
        else:
            self.read_paused = True
            super().send_receive_event_to_app()
            self.read_paused = False

    def handle_parser_exception(self) -> None:
        """Tell the client why; then take what it still sends, for with that unread the system would drop the reason."""
        closed = self.conn.close_sent
        assert closed is not None
        self.queue.put_nowait({"type": "websocket.disconnect", "code": closed.code, "reason": closed.reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.close_timer = self.loop.call_later(PARTING_SECONDS, self.transport.abort)
        self._falling_quiet.set(QUIET_SECONDS)
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()

    async def send(self, message: Any) -> None:
        await super().send(message)
        if self.close_sent:
            self.handshake_complete = True  # by a refusal, too, which uvicorn takes for an application's mistake

    def handle_ping(self) -> None:
        """Answer only the latest of the pings whose answers the client does not take (RFC 6455, 5.5.3)."""
        if self.writable.is_set() or self.conn.close_rcvd:
            super().handle_ping()
        else:
            self._latest_pong = b"".join(self.conn.data_to_send()) or self._latest_pong

    def pause_writing(self) -> None:
        super().pause_writing()
        self._taking.set(UNTAKEN_SECONDS)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._taking.clear()
        self.transport.write(self._latest_pong)
        self._latest_pong = b""

    def on_task_complete(self, task: "asyncio.Task[None]") -> None:
        super().on_task_complete(task)
        self._parting.set(PARTING_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        for deadline in (self._taking, self._falling_quiet, self._parting):
            deadline.clear()
        super().connection_lost(exc)

    def send_keepalive_ping(self) -> None:
        self._is_heard = False
        super().send_keepalive_ping()

    def keepalive_timeout(self) -> None:
        """A ping is not answered. Its answer may stand behind audio that the server has not got round to read."""
        if self._is_heard or self.read_paused:
            self._is_heard = False
            self.pong_timer = self.loop.call_later(self.config.ws_ping_timeout or 0, self.keepalive_timeout)
            return
        super().keepalive_timeout()
        self.transport.abort()  # nobody is there to take the rest

    def shutdown(self) -> None:
        """The server is going down. The application says so to those it serves, once they have what they are due."""
        if self.close_sent:
            super().shutdown()

    def _refuse_text(self) -> None:
        """Part from a client whose text is not UTF-8. uvicorn does so, too, but logs it as an error of the server's."""
        self.frames = []
        if self.conn.state is State.OPEN:
            self.conn.send_close(1007)
            self.handle_parser_exception()

    def _abort(self) -> None:
        self.transport.abort()


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
