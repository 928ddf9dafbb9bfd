"""The owner's key: who does not have it is refused before any of the request's body is taken."""

import hmac

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from server.errors import ApiError, error_response
from server.metrics import Metrics
from server.settings import Settings

GUARDED = "/v1/"


class RequireKey:
    """ASGI middleware: requests to /v1 need `Authorization: Bearer KEY` (or `Token KEY`) where the owner set a key."""

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self.app = app
        self.key = settings.api_key.get_secret_value() if settings.api_key else None
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._may_pass(scope):
            await self.app(scope, receive, send)
        else:
            await error_response(_refusal(), self.metrics)(scope, receive, send)

    def _may_pass(self, scope: Scope) -> bool:
        if self.key is None or scope["type"] != "http" or not scope["path"].startswith(GUARDED):
            return True
        scheme, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
        return scheme.lower() in {"bearer", "token"} and hmac.compare_digest(given.strip().encode(), self.key.encode())


def _refusal() -> ApiError:
    return ApiError(
        401,
        "invalid_api_key",
        "This server needs a key. Send it as the header 'Authorization: Bearer KEY'.",
        headers={"WWW-Authenticate": "Bearer", "Connection": "close"},
    )
