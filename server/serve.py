"""Running the server as a process: start, say what to try, and stop in order at SIGTERM."""

import asyncio
import signal
import socket
from collections.abc import Callable

import uvicorn

from server.app import create_app
from server.logs import configure_logging
from server.services import Services
from server.settings import Settings


def serve(settings: Settings, announce: Callable[[str], None]) -> Exception | None:
    """Serve until SIGTERM or SIGINT; gives what kept the server from starting, if anything did.

    `announce` is told the server's address once the model and the index are loaded. At a signal the server stops
    accepting, finishes what is in flight within `settings.shutdown_timeout` seconds and returns.
    Raises OSError when the address cannot be listened on.
    """
    configure_logging(settings.log_level)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.create_server((settings.host, settings.port), family=family)
    app = create_app(settings, on_failure=lambda _: server.handle_exit(signal.SIGTERM, None))
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=round(settings.shutdown_timeout),
        )
    )
    # uvicorn raises a signal again once it has obeyed it; for this process that is the end of the matter.
    for obeyed in (signal.SIGTERM, signal.SIGINT):
        signal.signal(obeyed, lambda *_: None)
    services: Services = app.state.services
    asyncio.run(_serve(server, listener, services, announce))
    return services.failure


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
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    announce(f"http://{shown}:{port}")
