"""One log line and the counts for every request: id, method, route, status, milliseconds. Never what was said."""

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.errors import METHODS
from server.ids import new_id
from server.metrics import Metrics

logger = logging.getLogger(__name__)


class AccessLog:
    """ASGI middleware. The request's id is `scope["state"]["request_id"]` and the header X-Request-Id."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = new_id("req")
        scope.setdefault("state", {})["request_id"] = request_id
        status = 499  # nothing was answered: the client had left
        started = time.monotonic()

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        except Exception:
            status = 500
            raise
        finally:
            seconds = time.monotonic() - started
            route = _route(scope)
            # A client may make up methods.
            method = scope["method"] if scope["method"] in METHODS else "other"
            self.metrics.requests.labels(method, route, status).inc()
            self.metrics.request_seconds.labels(route).observe(seconds)
            logger.info(
                "request id=%s method=%s route=%s status=%s ms=%.1f",
                request_id,
                method,
                route,
                status,
                1000 * seconds,
            )


def _route(scope: Scope) -> str:
    """The route's pattern, not the path, which may hold ids: it must not multiply the metrics."""
    if "route" in scope:
        return str(scope["route"].path)
    # A mounted folder leaves its own path; a route of Starlette's, such as that of /openapi.json, has a fixed one.
    return str(scope["root_path"] or scope["path"]) if "endpoint" in scope else "unmatched"
