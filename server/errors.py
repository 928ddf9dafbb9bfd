"""The one error body, and the one place where what went wrong becomes an HTTP answer.

The body is the one that OpenAI's clients understand: {"error": {"message", "type", "param", "code"}}.
"""

import json
import logging
import math
from collections.abc import Iterable, Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match, Mount

from asr import errors as asr_errors
from search import errors as search_errors
from search.text.spelling import MOST_CHARACTERS, not_known
from server.metrics import Metrics

logger = logging.getLogger(__name__)

MAX_MESSAGE = 1000  # characters
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class ApiError(HTTPException):
    """An answer that is an error; `param` names the request's part that is at fault."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, message, dict(headers) if headers else None)
        self.code = code
        self.param = param


def busy(message: str, retry_after: float, code: str = "overloaded") -> ApiError:
    """503 with the seconds after which another try is worth it."""
    return ApiError(503, code, message, headers={"Retry-After": str(max(1, math.ceil(retry_after)))})


def shutting_down() -> ApiError:
    """503 for work that was not done before the server's end."""
    return busy("The server is shutting down. Try again in a moment.", 5, code="shutting_down")


def unknown_name(name: str, known: Iterable[str], what: str) -> ApiError:
    """400 for a parameter or field that there is not; `what` it is not."""
    told = not_known(name, sorted(known), what)
    return ApiError(400, "invalid_request", told if told.endswith("?") else f"{told}.", param=name[:MOST_CHARACTERS])


def install_error_handlers(app: FastAPI, metrics: Metrics) -> None:
    """Make every error that leaves a route an answer with the one error body, and count it."""

    def handle(request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException) and error.status_code == 405:
            error.headers = {"Allow": ", ".join(_allowed(request))}
        return error_response(api_error(error, getattr(request.state, "request_id", "")), metrics)

    for kind in (
        HTTPException,
        ClientDisconnect,
        RequestValidationError,
        asr_errors.AsrError,
        search_errors.SearchError,
        Exception,
    ):
        app.add_exception_handler(kind, handle)


def api_error(error: Exception, request_id: str) -> ApiError:
    """What went wrong, as an answer; `request_id` leads to the log where that says more."""
    match error:
        case ApiError():
            return error
        case ClientDisconnect():
            return ApiError(499, "client_closed_request", "The client left before its request was complete.")
        case HTTPException():
            return _from_http(error)
        case RequestValidationError():
            return _from_validation(error)
        case asr_errors.AudioTooLong():
            return ApiError(413, "audio_too_long", str(error), param="file")
        case asr_errors.InvalidAudio():
            return ApiError(400, "invalid_audio", str(error), param="file")
        case asr_errors.UnknownLanguage():
            return ApiError(400, "unknown_language", str(error), param="language")
        case asr_errors.EngineBusy():
            return busy(str(error), 1)
        case asr_errors.EngineClosed():
            return shutting_down()
        case search_errors.IndexBusy():
            return busy(f"{error.reason.capitalize()}.", 5, code="index_busy")
        case search_errors.InvalidDocument():
            return ApiError(400, "invalid_document", str(error), param="documents")
        case search_errors.InvalidFilter():
            return ApiError(400, "invalid_filter", f"filter: {error}.", param="filter")
        case search_errors.IndexUnavailable():
            logger.error("index unavailable id=%s: %s", request_id, error)
            message = f"{error.reason.capitalize()}. The server's log says more of {request_id}."
            return busy(message, 5, code="index_unavailable")
        case _:
            logger.error("unhandled error id=%s", request_id, exc_info=error)
            return ApiError(
                500, "internal_error", f"The server failed; this is a bug. Its log says more of {request_id}."
            )


def _from_http(error: HTTPException) -> ApiError:
    # A form that cannot be parsed is like one with a wrong field.
    phrase = "invalid request" if error.status_code == 400 else HTTPStatus(error.status_code).phrase
    code = phrase.lower().replace(" ", "_")
    return ApiError(error.status_code, code, _hint(error), headers=error.headers)


def _allowed(request: Request) -> list[str]:
    """The methods that an address takes, of all its routes; Starlette names those of the first only."""

    def is_taken(method: str) -> bool:
        scope = {**request.scope, "method": method}
        routes = (route for route in request.app.routes if not isinstance(route, Mount))
        return any(route.matches(scope)[0] is Match.FULL for route in routes)

    return [method for method in METHODS if is_taken(method)] or ["GET", "HEAD"]  # of mounted files


def _hint(error: HTTPException) -> str:
    match error.status_code:
        case 404:
            return "There is nothing at this address. GET /docs lists what there is."
        case 405:
            return "This address does not take that method. GET /docs lists which it takes."
        case _:
            return str(error.detail)


def _from_validation(error: RequestValidationError) -> ApiError:
    """The first thing that is wrong with a request, in words; always 400."""
    first = error.errors()[0]
    param = ".".join(str(part) for part in first["loc"][1:]) or None
    if param == "file":
        message = "Send the recording as a file part named 'file', as curl does with: -F file=@question.wav"
    else:
        message = f"{param or 'The request'}: {first['msg']}."
    return ApiError(400, "invalid_request", message, param=param)


def error_response(error: ApiError, metrics: Metrics) -> Response:
    """An error as an answer, counted by its code."""
    metrics.errors.labels(error.code).inc()
    return Response(error_body(error), error.status_code, error.headers, "application/json")


def error_body(error: ApiError) -> bytes:
    """The one error body, as JSON."""
    kind = "invalid_request_error" if error.status_code < 500 else "server_error"
    if error.status_code == 401:
        kind = "authentication_error"
    told = {"message": shortened(error.detail), "type": kind, "param": error.param, "code": error.code}
    # Half a surrogate pair, which a client can send, becomes the escape that JSON has for it.
    return json.dumps({"error": told}, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace")


def shortened(message: str) -> str:
    """A message without its middle where it is long: it may quote what a client sent, and advice stands at its end."""
    half = MAX_MESSAGE // 2
    return message if len(message) <= MAX_MESSAGE else f"{message[:half]} … {message[-half:]}"
