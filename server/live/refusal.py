"""Who is not let in: told by an HTTP answer, or, in a browser, which hides that, by a message and a close code."""

import contextlib

from starlette.websockets import WebSocket, WebSocketDisconnect

from server.errors import ApiError, error_body, error_response
from server.live.protocol import CloseCode, Error
from server.metrics import Metrics

SUBPROTOCOLS = ("token", "bearer")  # with a key as the next one: all that a browser can send


def chosen_subprotocol(websocket: WebSocket) -> str | None:
    """What is answered where subprotocols are offered: a browser that hears nothing of them breaks off."""
    return next((name for name in websocket.scope["subprotocols"] if name in SUBPROTOCOLS), None)


async def deny(websocket: WebSocket, error: ApiError, metrics: Metrics) -> None:
    """Refuse a client that has not been accepted yet by an HTTP answer, which browsers hide from their pages."""
    response = error_response(error, metrics)
    response.headers["dg-error"] = str(error.detail).encode("ascii", "replace").decode()
    await websocket.send_denial_response(response)


async def refuse(websocket: WebSocket, error: ApiError, metrics: Metrics) -> None:
    """Refuse a client that has not been accepted yet so that it learns why, also where it is a page."""
    if "origin" not in websocket.headers:
        await deny(websocket, error, metrics)
        return
    metrics.errors.labels(error.code).inc()
    await websocket.accept(chosen_subprotocol(websocket))
    with contextlib.suppress(WebSocketDisconnect):  # it has left already
        await websocket.send_text(Error.of(error_body(error)).json_text())
        await websocket.close(CloseCode.OVERLOADED if error.status_code >= 500 else CloseCode.REFUSED, error.code)
