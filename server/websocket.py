"""WebSocket connections: how long the server waits for a client, and how it parts from one."""

import asyncio
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

READ_AT_ONCE = 4_096  # bytes; as messages of one byte each they take some 10 ms to parse, and all others wait meanwhile
UNTAKEN_SECONDS = 30.0  # that a client may leave untaken what is sent to it
PARTING_SECONDS = 10.0  # for the client to take the last messages, and to close in its turn
QUIET_SECONDS = 0.3  # after which a client that broke a rule has stopped sending
MAX_MESSAGE_BYTES = 1_000_000  # half a minute of speech at 16 kHz


class WebSocketConnection(WebSocketsSansIOProtocol, asyncio.BufferedProtocol):
    """uvicorn's WebSocket, which does not wait without end for a client, and lets the application end the connection.

    It reads little at once, into a buffer of its own, so that no client has the event loop to itself.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._buffer = bytearray()
        self._is_heard = False  # since the last ping
        self._deadline: asyncio.TimerHandle | None = None

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
            self._abort_in(QUIET_SECONDS)

    def send_receive_event_to_app(self) -> None:
        """Stop reading when a second message waits, not at the first: each stop and start costs two system calls."""
        if self.read_paused or not self.queue.empty():
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
        self._abort_in(QUIET_SECONDS)
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._abort_in(UNTAKEN_SECONDS)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_waiting()

    def on_task_complete(self, task: "asyncio.Task[None]") -> None:
        super().on_task_complete(task)
        if self.conn.parser_exc is None:
            self._abort_in(PARTING_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
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

    def _abort_in(self, seconds: float) -> None:
        self._stop_waiting()
        self._deadline = self.loop.call_later(seconds, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None
