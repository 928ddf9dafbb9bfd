"""The owner's key: who does not have it is refused before any of the request's body is taken."""

import hmac

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from server.errors import ApiError, error_response
from server.live.refusal import SUBPROTOCOLS, refuse
from server.metrics import Metrics
from server.settings import Settings

GUARDED = "/v1/"


class RequireKey:
    """ASGI middleware: requests to /v1 need `Authorization: Bearer KEY` (or `Token KEY`) where the owner set a key.

    A WebSocket may bring it as subprotocols instead, `token, KEY`, which browsers can set.
    """

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self.app = app
        self.key = settings.api_key.get_secret_value() if settings.api_key else None
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._may_pass(scope):
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await refuse(WebSocket(scope, receive, send), _refusal(), self.metrics)
        else:
            await error_response(_refusal(), self.metrics)(scope, receive, send)

    def _may_pass(self, scope: Scope) -> bool:
        if self.key is None or scope["type"] == "lifespan" or not scope["path"].startswith(GUARDED):
            return True
        return hmac.compare_digest(_offered_key(HTTPConnection(scope)).encode(), self.key.encode())


def _offered_key(connection: HTTPConnection) -> str:
    scheme, _, key = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() in {"bearer", "token"}:
        return key.strip()
    match connection.scope.get("subprotocols", []):
        case [scheme, key, *_] if scheme in SUBPROTOCOLS:
            return str(key)
    return ""


def _refusal() -> ApiError:
    return ApiError(
        401,
        "invalid_api_key",
        "This server needs a key. Send it as the header 'Authorization: Bearer KEY'.",
        headers={"WWW-Authenticate": "Bearer", "Connection": "close"},
    )
