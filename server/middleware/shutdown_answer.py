"""The end of a request that the server gives up at its own end: an answer, not a broken connection."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.errors import error_response, shutting_down
from server.metrics import Metrics


class ShutdownAnswer:
    """ASGI middleware: a request whose task is cancelled, wherever it was, is answered 503."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        has_begun = False

        async def send_and_note(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        except asyncio.CancelledError:
            if not has_begun:
                await error_response(shutting_down(), self.metrics)(scope, receive, send)
