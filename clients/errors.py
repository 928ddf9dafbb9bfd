"""What can go wrong when asking a server.

    SayseekError
    ├── UnreadableRecording      a recording breaks off or is damaged part-way
    ├── MicrophoneUnavailable    there is no microphone, or it gives no sound
    ├── ServerUnreachable        nobody answers, or the connection broke off
    ├── ServerTimeout            the answer took longer than the client's time-out
    ├── MalformedAnswer          something answers, but not as a Sayseek server does
    └── ServerError              the server says what is wrong
        ├── InvalidRequest       4xx: the same request would fail again
        │   ├── NotAuthorized    401, 403: the key is missing, wrong, or does not allow it
        │   └── NotFound         404: no such document, model or path
        └── Busy                 429, 503: trying again later may work

A file that cannot be opened raises Python's own `OSError`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI
from websockets.http11 import Response


class SayseekError(Exception):
    """Root of every error this package raises on purpose."""


class UnreadableRecording(SayseekError):
    """A recording breaks off or is damaged part-way."""


class MicrophoneUnavailable(SayseekError):
    """There is no microphone, none of that name, or it stopped giving sound."""


class ServerUnreachable(SayseekError):
    """Nobody answers at the server's address, or the connection broke off."""


class ServerTimeout(SayseekError):
    """The server took the request but did not answer within the client's time-out."""


class MalformedAnswer(SayseekError):
    """Something answered, but not as a Sayseek server does."""


class ServerError(SayseekError):
    """The server answered with an error.

    `message` says what to do about it; `code`, `type` and `param` are for programs, as in the server's error body.
    `retry_after` is in seconds, where the server says when to try again.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        type: str | None = None,  # noqa: A002 - the error body's own word
        param: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.type = type
        self.param = param
        self.retry_after = retry_after


class InvalidRequest(ServerError):
    """4xx: the request is at fault and would fail again."""


class NotAuthorized(InvalidRequest):
    """401: the server wants a key, and none or another one was given. 403: the key does not allow the request."""


class NotFound(InvalidRequest):
    """404: the server knows no such document, model or path."""


class Busy(ServerError):
    """429 or 503: the server has too much to do or is still loading."""


@contextmanager
def translated_errors(server: str) -> Iterator[None]:
    """The one place where httpx's errors become this package's."""
    try:
        yield
    except (httpx.ConnectTimeout, httpx.ConnectError) as exc:
        raise _no_connection(server, exc) from exc
    except (httpx.TimeoutException, TimeoutError) as exc:
        raise ServerTimeout(f"{server} did not answer in time. Allow more time, or send less.") from exc
    except httpx.TransportError as exc:
        raise ServerUnreachable(f"The connection to {server} broke off: {exc or type(exc).__name__}.") from exc
    except httpx.RequestError as exc:
        raise MalformedAnswer(f"{server} does not answer as a Sayseek server does: {exc}.") from exc


@contextmanager
def translated_socket_errors(server: str) -> Iterator[None]:
    """The same for what keeps a WebSocket from being opened."""
    try:
        yield
    except InvalidStatus as exc:
        raise error_from(_as_httpx(exc.response, server)) from exc
    except (InvalidHandshake, InvalidURI) as exc:
        if isinstance(exc.__cause__, EOFError):
            raise ServerUnreachable(f"The connection to {server} broke off.") from exc
        raise MalformedAnswer(f"{server} does not answer as a Sayseek server does: {exc}.") from exc
    except OSError as exc:
        raise _no_connection(server, exc) from exc


@contextmanager
def translated_setup_errors() -> Iterator[None]:
    """What httpx finds wrong with proxies and certificates, which it takes from the environment, as `ValueError`."""
    try:
        yield
    except (httpx.InvalidURL, ImportError, OSError) as exc:
        raise ValueError(f"the environment names a proxy or certificates that cannot be used: {exc}") from exc


def error_from(response: httpx.Response) -> ServerError:
    """The error that an answer other than 2xx stands for; copes with bodies a proxy in between may send."""
    retry_after = retry_after_seconds(response.headers.get("Retry-After"), datetime.now(UTC))
    return error_of(_error_detail(response), response.status_code, _message_without_detail(response), retry_after)


def error_of(
    detail: Mapping[str, Any],
    status: int,
    message: str = "The server does not say what went wrong.",
    retry_after: float | None = None,
) -> ServerError:
    """The error that the body's `error` tells; `message` is for where it has none."""
    told = detail.get("message")
    return _kind_of(status)(
        status,
        told if isinstance(told, str) else message,
        code=detail.get("code"),
        type=detail.get("type"),
        param=detail.get("param"),
        retry_after=retry_after,
    )


def _no_connection(server: str, error: Exception) -> SayseekError:
    if "WRONG_VERSION_NUMBER" in str(error) or "record layer failure" in str(error).lower():
        return MalformedAnswer(f"{server} does not speak https: write its address with http://.")
    return ServerUnreachable(f"No answer from {server}: {error or 'the time to connect ran out'}.")


def _as_httpx(response: Response, server: str) -> httpx.Response:
    told = {name: response.headers[name] for name in ("Location", "Retry-After") if name in response.headers}
    request = httpx.Request("GET", server)
    return httpx.Response(response.status_code, headers=told, content=bytes(response.body or b""), request=request)


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """Seconds to wait for, from a `Retry-After` header: a number or an HTTP date (RFC 9110, section 10.2.3)."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds())


def _kind_of(status: int) -> type[ServerError]:
    match status:
        case 401 | 403:
            return NotAuthorized
        case 404:
            return NotFound
        case 429 | 503:
            return Busy
        case _:
            return InvalidRequest if 400 <= status < 500 else ServerError


def _error_detail(response: httpx.Response) -> Mapping[str, Any]:
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return {}
    detail = body.get("error") if isinstance(body, dict) else None
    return detail if isinstance(detail, dict) else {}


def _message_without_detail(response: httpx.Response) -> str:
    target = response.headers.get("Location")
    hint = f" It points to {target}: use that address." if target else ""
    return f"{response.url} answered {response.status_code} {response.reason_phrase}.{hint}"
