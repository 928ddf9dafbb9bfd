"""Which web pages may use the server: its own, and those whose origin the owner allows.

A page of any site can make its visitor's browser send requests, and open WebSockets, to every server that the browser
can reach: cross-site request forgery, and cross-site WebSocket hijacking. The browser names the page's origin in the
header `Origin`. Most programs send none, and are served as ever.
"""

import ipaddress
import logging
import re

from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from server.errors import ApiError, error_response
from server.live.refusal import deny
from server.metrics import Metrics
from server.middleware.api_key import is_guarded
from server.settings import DEFAULT_PORTS, Settings

logger = logging.getLogger(__name__)

MAX_QUOTED = 100  # characters of a header
PORT = re.compile(r":(\d*)\Z", re.ASCII)
FOREIGN_SITES = {"cross-site", "same-site"}  # values of Sec-Fetch-Site: another site, or another origin of this one


class CheckOrigin:
    """ASGI middleware: answer 403 to a foreign page's request before its body is taken, or its WebSocket accepted.

    A request is foreign where its `Origin` is neither the host and port that it was sent to nor an allowed one. Under
    /v1 it is foreign, too, where it has no `Origin` and the browser says that a page of another origin caused it.
    Allowed origins get the CORS headers by which a browser lets their pages read the answers. Where the owner named the
    server's hosts, a request to any other is refused: a foreign page may bring about that its own name leads here.
    """

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics
        self.allowed_origins = frozenset(settings.allowed_origins)
        self.allowed_hosts = frozenset(settings.allowed_hosts)
        self.cors = CORSMiddleware(
            app,
            allow_origins=settings.allowed_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            allow_private_network=True,
            expose_headers=["Retry-After", "X-Request-Id"],
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        if refusal := self._refusal(connection):
            logger.warning("refused: %s", refusal.detail)
            if scope["type"] == "websocket":
                await deny(WebSocket(scope, receive, send), refusal, self.metrics)
            else:
                await error_response(refusal, self.metrics)(scope, receive, send)
        elif connection.headers.get("origin") in self.allowed_origins:
            await self.cors(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _refusal(self, connection: HTTPConnection) -> ApiError | None:
        host = connection.headers.get("host", "")
        if self.allowed_hosts and not self._is_allowed_host(host):
            return _forbidden(
                "host_not_allowed",
                f"This server does not go by the name {_quoted(host)}. Its owner can name it in SAYSEEK_ALLOWED_HOSTS.",
            )
        origin = ", ".join(connection.headers.getlist("origin"))  # two are none of the server's
        if "origin" in connection.headers and origin not in self.allowed_origins and not is_own(origin, host):
            return _forbidden(
                "origin_not_allowed",
                f"Pages of {_quoted(origin)} may not use this server, which was called {_quoted(host)}. "
                "Its owner can name the origin in SAYSEEK_ALLOWED_ORIGINS. A proxy must pass on the header Host.",
            )
        site = connection.headers.get("sec-fetch-site", "").lower()
        if "origin" not in connection.headers and site in FOREIGN_SITES and is_guarded(connection.scope):
            return _forbidden(
                "origin_not_allowed",
                "A page of another origin caused this request, and the browser does not say which. Use fetch(), from "
                "a page whose origin the server's owner has named in SAYSEEK_ALLOWED_ORIGINS.",
            )
        return None

    def _is_allowed_host(self, host: str) -> bool:
        """Whether no foreign page can have it as its own: named by the owner, this machine's, or an address."""
        name = PORT.sub("", host.lower())
        return not name or name == "localhost" or name in self.allowed_hosts or _is_address(name.strip("[]"))


def is_own(origin: str, host: str) -> bool:
    """Whether an `Origin` is that of the server's own pages, by the `Host` of the same request.

    Schemes are not compared, for behind a proxy the server does not know its own. A port that is left out is the usual
    one of the origin's scheme, on both sides. Some programs send the socket's own scheme, ws or wss, or a slash at the
    end, which no browser does. An origin of any other scheme is foreign.
    """
    scheme, _, place = origin.lower().removesuffix("/").partition("://")
    default = DEFAULT_PORTS.get({"ws": "http", "wss": "https"}.get(scheme, scheme))
    if not place or default is None:
        return False
    return _with_port(place, default) == _with_port(host.lower(), default)


def _with_port(place: str, default: int) -> tuple[str, str]:
    """A host, and its port or else the default."""
    found = PORT.search(place)
    return PORT.sub("", place), (found and found[1]) or str(default)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _quoted(header: str) -> str:
    return repr(header if len(header) <= MAX_QUOTED else header[:MAX_QUOTED] + "…")


def _forbidden(code: str, message: str) -> ApiError:
    return ApiError(403, code, message, headers={"Connection": "close"})
