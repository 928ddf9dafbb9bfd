"""The owner's keys: a request without one is refused before any of its body is taken.

The API key allows everything. The page key is for web pages, whose visitors can read it: it allows to search and to
listen.
"""

import hmac

from pydantic import SecretStr
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from server.errors import ApiError, error_response
from server.live.refusal import SUBPROTOCOLS, refuse
from server.metrics import Metrics
from server.settings import Settings

GUARDED = "/v1/"
# All that the page key allows: methods by path.
PAGE_METHODS = {
    "/v1/voice-search": {"POST"},
    "/v1/search": {"GET", "HEAD"},
    "/v1/indexes": {"GET", "HEAD"},
    "/v1/listen": {"GET"},
}


class RequireKey:
    """ASGI middleware: requests to /v1 need `Authorization: Bearer KEY` (or `Token KEY`) where the owner set a key.

    A WebSocket may bring it as subprotocols instead, `token, KEY`, which browsers can set. No key or a wrong one is
    answered 401; the page key, with a request for what it does not allow, 403.
    """

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self.app = app
        self.api_key = settings.api_key
        self.page_key = settings.page_key
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope)
        if refusal is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await refuse(WebSocket(scope, receive, send), refusal, self.metrics)
        else:
            await error_response(refusal, self.metrics)(scope, receive, send)

    def _refusal(self, scope: Scope) -> ApiError | None:
        if not (self.api_key or self.page_key) or not is_guarded(scope):
            return None
        offered = _offered_key(HTTPConnection(scope))
        if _is(offered, self.api_key):
            return None
        if not _is(offered, self.page_key):
            return _invalid_key()
        method = scope.get("method", "GET")  # a WebSocket's is GET
        return None if method in PAGE_METHODS.get(scope["path"], ()) else self._not_permitted()

    def _not_permitted(self) -> ApiError:
        advice = (
            "Send the API key for everything else."
            if self.api_key
            else "There is no API key, which everything else needs: the server's owner can set SAYSEEK_API_KEY."
        )
        message = f"The page key allows to search and listen only. {advice}"
        return ApiError(403, "not_permitted", message, headers={"Connection": "close"})


def is_guarded(scope: Scope) -> bool:
    """Whether it is a request to the API, which a key may be needed for."""
    return scope["type"] in ("http", "websocket") and scope["path"].startswith(GUARDED)


def _is(offered: str, key: SecretStr | None) -> bool:
    return key is not None and hmac.compare_digest(offered.encode(), key.get_secret_value().encode())


def _offered_key(connection: HTTPConnection) -> str:
    scheme, _, key = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() in {"bearer", "token"}:
        return key.strip()
    match connection.scope.get("subprotocols", []):
        case [scheme, key, *_] if scheme in SUBPROTOCOLS:
            return str(key)
    return ""


def _invalid_key() -> ApiError:
    return ApiError(
        401,
        "invalid_api_key",
        "This server needs a key. Send it as the header 'Authorization: Bearer KEY'.",
        headers={"WWW-Authenticate": "Bearer", "Connection": "close"},
    )
