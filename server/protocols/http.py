"""Open connections: how many there may be, and how long the server waits for a client.

A connection waits for its client until a whole request has come, and again while the client takes the answer. Who
waits for too long is closed. Where there are too many connections, the one that has waited longest makes room.
"""

import asyncio
import contextlib
import resource
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from server.errors import ApiError, error_body

REQUEST_SECONDS = 10.0  # from the connection, or the answer before, to the end of a request's header
ANSWER_SECONDS = 60.0  # that a client may leave an answer untaken
ACCEPTED_AT_ONCE = 8  # by the event loop in one go; a few goes pass before room is made for them
READ_AT_ONCE = 16_384  # bytes; as chunks of one byte each they take some 30 ms to parse, and all others wait meanwhile
QUEUED = 1024  # connections that the system keeps until they are accepted

_MALFORMED_BODY = error_body(ApiError(400, "invalid_request", "This is not a request in HTTP/1.1."))
MALFORMED = b"\r\n".join(
    (
        b"HTTP/1.1 400 Bad Request",
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(_MALFORMED_BODY),
        b"Connection: close",
        b"",
        _MALFORMED_BODY,
    )
)


class Connections(ServerState):
    """A server's connections, of which `limit` may be open at once."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit
        self.waiting: dict[Connection, None] = {}  # for their clients, the longest first

    def make_room(self) -> None:
        """Close the connection that has waited longest if there are too many; the newest if no other waits."""
        if len(self.connections) > self.limit:
            next(iter(self.waiting)).abort()


class Connection(H11Protocol, asyncio.BufferedProtocol):
    """uvicorn's HTTP/1.1, which waits neither for a request nor for an answer to be taken without end.

    It reads little at once, into a buffer of its own, so that no client has the event loop to itself.

    The time of a request's body is the application's to limit; a connection that becomes a WebSocket is not its own
    any more.
    """

    server_state: Connections

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._buffer = bytearray()

    def abort(self) -> None:
        """Close at once, whatever is still to be sent."""
        self._stop_waiting()
        self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self._wait()
        self.server_state.make_room()

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002
        self._buffer = bytearray(READ_AT_ONCE)
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(memoryview(self._buffer)[:nbytes]))

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        super().handle_events()
        if self._is_answering and not self.flow.write_paused:
            self._clear_deadline()
            if not self.cycle.more_body:
                self._stop_waiting()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._stop_waiting()
        super().handle_websocket_upgrade(event)

    def on_response_complete(self) -> None:
        self._wait()
        super().on_response_complete()  # which goes on with the next request if it is there already

    def pause_writing(self) -> None:
        super().pause_writing()
        self._wait()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._is_answering:
            self._stop_waiting()
        else:
            self._wait()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # it tells no more than that
        """Refuse what is not HTTP with the one error body; where an answer has begun already, just close."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.write(MALFORMED)
        if self._is_answering:
            self.cycle.disconnected = True  # nobody hears what the application would answer
            self.cycle.message_event.set()
        self.transport.close()

    @property
    def _is_answering(self) -> bool:
        """Whether a request's header has come and its answer is not all out."""
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self) -> None:
        """From now on it is the client's turn."""
        self._stop_waiting()
        self.server_state.waiting[self] = None
        seconds = ANSWER_SECONDS if self.flow.write_paused else REQUEST_SECONDS
        self._deadline = self.loop.call_later(seconds, self.abort)

    def _stop_waiting(self) -> None:
        self.server_state.waiting.pop(self, None)
        self._clear_deadline()

    def _clear_deadline(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None


def connection_limit(wanted: int) -> int:
    """How many connections may be open: `wanted`, but at most a third of the file descriptors, all of which it claims.

    A connection that is sent a file takes two; the others are for the index, and for connections that are accepted
    before room is made for them.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS allows less than it says
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if descriptors == resource.RLIM_INFINITY else min(wanted, descriptors // 3)
