"""Running the server as a process: start, say what to try, and stop in order at SIGTERM."""

import asyncio
import contextlib
import logging
import math
import os
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from server.app import create_app
from server.logs import configure_logging
from server.memory import freeze_gc
from server.protocols.http import ACCEPTED_AT_ONCE, QUEUED, Connection, Connections, connection_limit
from server.protocols.websocket import MAX_MESSAGE_BYTES, WebSocketConnection
from server.services import Services
from server.settings import Settings
from server.threads import join_threads

# That an idle connection is kept. httpx keeps its own for 5: with as few here, a request now and then meets the close.
KEEP_ALIVE_SECONDS = 8
ANSWER_SECONDS = 2  # for the last answers to go out once the work has been given up
LINGER_SECONDS = 2.0  # for threads to end whose work has been given up


def serve(settings: Settings, announce: Callable[[str], None]) -> Exception | None:
    """Serve until SIGTERM or SIGINT; gives what kept the server from starting, if anything did.

    `announce` is told the server's address once the model and the index are loaded. At a signal the server stops
    accepting, finishes what is in flight within `settings.shutdown_timeout` seconds and returns.
    Raises OSError when the address cannot be listened on.
    """
    configure_logging(settings.log_level)
    listener = listen(settings.host, settings.port)
    app = create_app(settings, on_failure=lambda _: server.handle_exit(signal.SIGTERM, None))
    services: Services = app.state.services
    server = _Server(app, settings, services)
    # uvicorn puts this back when it has obeyed: a signal at the very end changes nothing.
    for obeyed in (signal.SIGTERM, signal.SIGINT):
        signal.signal(obeyed, server.handle_exit)
    asyncio.run(_serve(server, listener, services, announce))
    if services.is_loading or (services.failure is None and not join_threads(LINGER_SECONDS)):
        # A thread cannot be stopped, and Python's own end would abort inside torch, or wait for a database that hangs.
        logging.shutdown()
        os._exit(0)
    return services.failure


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises OSError when the address cannot be listened on.

    It names its protocol, for asyncio turns Nagle's algorithm off only where it is named; with it on, an answer's
    body waits 40 ms for the client to acknowledge the head.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    host = host.removeprefix("[").removesuffix("]")
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()
    except UnicodeError:
        listener.close()
        raise socket.gaierror(socket.EAI_NONAME, "not a host name") from None
    except OSError:
        listener.close()
        raise
    return listener


class _Server(uvicorn.Server):
    """uvicorn with bounded connections, which at shutdown gives up at the deadline what is still in flight."""

    def __init__(self, app: FastAPI, settings: Settings, services: Services) -> None:
        config = uvicorn.Config(
            app,
            http=Connection,
            ws=WebSocketConnection,
            ws_max_size=MAX_MESSAGE_BYTES,
            ws_per_message_deflate=False,  # PCM hardly gets smaller
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=ACCEPTED_AT_ONCE,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=math.ceil(settings.shutdown_timeout) + ANSWER_SECONDS,
        )
        super().__init__(config)
        self.server_state = Connections(connection_limit(settings.max_connections))
        self._shutdown_timeout = settings.shutdown_timeout
        self._listeners = services.listeners
        self._hurry = asyncio.Event()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Obey a signal: shut down, or, at a second Ctrl-C, give up at once what is in flight."""
        if self.should_exit and sig == signal.SIGINT:
            self._hurry.set()
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(QUEUED)  # uvicorn queues no more than it accepts at once

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._listeners.stop()
        giving_up = asyncio.create_task(self._give_up_at_deadline())
        try:
            await super().shutdown(sockets)
        finally:
            giving_up.cancel()

    async def _give_up_at_deadline(self) -> None:
        """Cancel every request that is still in flight then; the application answers it 503, and closes with 1001."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), self._shutdown_timeout)
        for task in self.server_state.tasks:
            task.cancel()


async def _serve(
    server: uvicorn.Server, listener: socket.socket, services: Services, announce: Callable[[str], None]
) -> None:
    announcing = asyncio.create_task(_announce_when_ready(listener, services, announce))
    try:
        await server.serve(sockets=[listener])
    finally:
        announcing.cancel()


async def _announce_when_ready(listener: socket.socket, services: Services, announce: Callable[[str], None]) -> None:
    host, port = listener.getsockname()[:2]
    await services.ready.wait()
    freeze_gc()
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    announce(f"http://{shown}:{port}")
