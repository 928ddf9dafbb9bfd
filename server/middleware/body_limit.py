"""Limits on request bodies that hold while they arrive: bytes, bytes of all together, seconds."""

import asyncio
import sys

from starlette.datastructures import Headers
from starlette.formparsers import MultiPartParser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.errors import ApiError, busy
from server.settings import Settings

if not hasattr(MultiPartParser, "spool_max_size"):
    raise ImportError("This Starlette would write uploads to disk. Install the version that pyproject.toml asks for.")

# Uploads stay in memory, whose limit is here: what was said must never reach a disk, in a temporary file neither.
MultiPartParser.spool_max_size = sys.maxsize


# What to send instead, by the part of the request that is at fault.
SMALLER = {
    "file": "Send just the spoken query, compressed (flac, opus) or at 16 kHz mono.",
    "documents": "Send the documents in several requests.",
}


class BodyLimit:
    """ASGI middleware: a body that is too large, too slow or one too many is refused while it arrives."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.max_bytes = settings.max_upload_bytes
        self.max_memory = settings.max_upload_memory
        self.timeout = settings.upload_timeout
        self.held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = _Body(self, receive, scope)
        try:
            await self.app(scope, body.receive, send)
        finally:
            self.held -= body.bytes


class _Body:
    """One request's body: counts what arrives, and when."""

    def __init__(self, limit: BodyLimit, receive: Receive, scope: Scope) -> None:
        self.limit = limit
        declared = Headers(scope=scope).get("content-length", "")
        self.declared = int(declared) if declared.isdigit() else 0
        self.bytes = 0
        self._param = "documents" if scope["path"].startswith("/v1/documents") else "file"
        self._receive = receive
        self._complete = False
        self._deadline = asyncio.get_running_loop().time() + limit.timeout

    async def receive(self) -> Message:
        """The next message; raises ApiError when a limit is passed. After the body, only disconnects come."""
        if self._complete:
            return await self._receive()
        self._check(self.declared)
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            raise ApiError(
                408,
                "upload_timeout",
                f"The upload took longer than {self.limit.timeout:g} seconds. {SMALLER[self._param]}",
                param=self._param,
                headers={"Connection": "close"},
            ) from None
        count = len(message.get("body", b""))
        self._check(self.bytes + count)
        self.bytes += count
        self.limit.held += count
        self._complete = not message.get("more_body", False)
        return message

    def _check(self, count: int) -> None:
        if count > self.limit.max_bytes:
            raise ApiError(
                413,
                "upload_too_large",
                f"The upload is larger than {self.limit.max_bytes} bytes. {SMALLER[self._param]}",
                param=self._param,
                headers={"Connection": "close"},
            )
        if self.limit.held - self.bytes + count > self.limit.max_memory:
            raise busy("Too many uploads at once. Try again in a moment.", 1)
