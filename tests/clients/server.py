"""A small real HTTP server that answers as the API says, or as a test scripts its next answers."""

import asyncio
import json
import socket
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

RESULT = {
    "id": "1",
    "score": 12.5,
    "title": "Reykjavík",
    "body": "Capital of Iceland",
    "fields": {"country": "Iceland"},
    "match": "text",
}


@dataclass(frozen=True)
class Received:
    """A request as the server saw it; `form` holds what was sent with a clip, `clip` its bytes and its name.

    `filters` are those of either, `keywords` the form's.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    form: dict[str, str]
    clip: tuple[bytes, str] | None
    filters: list[str]
    keywords: list[str]


class Never(Response):
    """No answer, until the client gives up."""


class BreaksOff(Response):
    """Half an answer."""

    def __init__(self) -> None:
        super().__init__(b'{"query":', headers={"Content-Length": "1000"}, media_type="application/json")


class Drips(StreamingResponse):
    """An answer without end, a space at a time."""

    def __init__(self) -> None:
        super().__init__(self._spaces(), media_type="application/json")

    async def _spaces(self) -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.05)


def error(status: int, message: str = "Mend it.", code: str = "some_code", **headers: str) -> Response:
    body = {"message": message, "type": "invalid_request_error", "param": "file", "code": code}
    return JSONResponse({"error": body}, status, headers={name.replace("_", "-"): v for name, v in headers.items()})


def voice_answer(text: str = "Hotels in Reykjavik", verdict: str = "ok", **changes: Any) -> dict[str, Any]:
    return {
        "id": "vs_01",
        "model": "base",
        "transcript": {
            "text": text,
            "language": "en",
            "confidence": 0.93,
            "duration": 2.31,
            "alternatives": [{"text": "Hotels in Rekyavik", "confidence": 0.41}],
        },
        "query": text.lower(),
        "results": [RESULT] if text else [],
        "quality": {"speech_seconds": 1.62, "level_dbfs": -23.1, "clipped": 0, "verdict": verdict},
        "timings": {"audio_ms": 3, "total_ms": 59.5},
    } | changes


@dataclass
class FakeServer:
    """`answers` are given first, one per request; then what the API would answer."""

    url: str = ""
    answers: deque[Response] = field(default_factory=deque)
    received: list[Received] = field(default_factory=list)
    documents: dict[str, Any] = field(default_factory=dict)
    asked: threading.Event = field(default_factory=threading.Event)

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET", "POST", "PUT", "DELETE"])])

    async def _answer(self, request: Request) -> Response:
        received = await _received(request)
        self.received.append(received)
        self.asked.set()
        answer = self.answers.popleft() if self.answers else self._usual_answer(received)
        if isinstance(answer, Never):
            while (await request.receive())["type"] != "http.disconnect":
                pass
        return answer

    def _usual_answer(self, received: Received) -> Response:
        match received.method, received.path.removeprefix("/v1/").split("/", 1):
            case "POST", ["voice-search"]:
                return JSONResponse(voice_answer())
            case "GET", ["search"]:
                return JSONResponse({"query": received.query["q"], "results": [RESULT], "timings": {"total_ms": 1}})
            case "PUT", ["documents"]:
                return self._put(received)
            case "GET", ["documents", key] if key in self.documents:
                return JSONResponse(self.documents[key])
            case "DELETE", ["documents", key] if key in self.documents:
                return JSONResponse({"deleted": 1, "was": self.documents.pop(key)})
            case "GET", ["", "readyz"]:
                return JSONResponse({"status": "ready"})
        return error(404, "There is nothing here.", "not_found")

    def _put(self, received: Received) -> Response:
        lines = [json.loads(line) for line in received.body.splitlines()]
        documents = [document for document in lines if document]
        self.documents |= {document["id"]: document for document in documents}
        return JSONResponse({"indexed": len(documents)})


async def _received(request: Request) -> Received:
    body = await request.body()
    form: dict[str, str] = {}
    keywords: list[str] = []
    clip = None
    filters = request.query_params.getlist("filter")
    if "multipart/form-data" in request.headers.get("content-type", ""):
        parts = await request.form()
        file = parts["file"]
        clip = (await file.read(), file.filename or "")
        form = {name: value for name, value in parts.items() if isinstance(value, str)}
        filters, keywords = (
            [text for text in parts.getlist(name) if isinstance(text, str)] for name in ("filter", "keywords")
        )
    query, headers = dict(request.query_params), dict(request.headers)
    return Received(request.method, request.scope["path"], query, headers, body, form, clip, filters, keywords)


@contextmanager
def running(server: FakeServer) -> Iterator[FakeServer]:
    """The server on a free port, for as long as the block lasts."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        program = uvicorn.Server(uvicorn.Config(server.app(), log_level="critical", timeout_graceful_shutdown=1))
        # The socket already listens: clients may come before uvicorn is up.
        thread = threading.Thread(target=program.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield server
        finally:
            program.should_exit = True
            thread.join()
