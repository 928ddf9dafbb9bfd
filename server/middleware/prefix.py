"""The prefix under which a reverse proxy serves all this: taken off every path, where the proxy has not done it."""

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class TakeOffPrefix:
    """ASGI middleware, outside of all that looks at paths. What is served names addresses relative to its own."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self.app = app
        self.prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] == "http" and path == self.prefix:  # without the slash the page's files lie beside it
            query = scope.get("query_string", b"").decode("latin-1")
            await RedirectResponse(f"{self.prefix}/" + (f"?{query}" if query else ""))(scope, receive, send)
        elif path.startswith(f"{self.prefix}/"):
            raw = scope.get("raw_path") or path.encode()
            raw = raw.removeprefix(self.prefix.encode())
            await self.app({**scope, "path": path.removeprefix(self.prefix), "raw_path": raw}, receive, send)
        else:
            await self.app(scope, receive, send)
