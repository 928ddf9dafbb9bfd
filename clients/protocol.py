"""What is said to a server, and how its answers are read. No I/O: both clients share it.

Each function gives the `Call` for one of the server's resources.
"""

import json
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Generic, TypeVar
from urllib.parse import quote

import httpx

from clients.answers import SearchAnswer, VoiceSearchAnswer, read_answer
from clients.errors import Busy, MalformedAnswer, error_from

DEFAULT_SERVER = "http://127.0.0.1:8000"
CONNECT_SECONDS = 5.0
LONGEST_TIMEOUT_SECONDS = 86_400.0  # sockets cannot wait for ever
TIMEOUT_SECONDS = 60.0
LARGEST_ANSWER = 200_000_000  # bytes; a hundred results with documents of a megabyte fit
BATCH_BYTES = 4_000_000  # of documents in one request: far below what servers and proxies refuse

Audio = bytes | Path | str | BinaryIO
Answer = TypeVar("Answer", covariant=True)


@dataclass(frozen=True)
class Call(Generic[Answer]):
    """One request, and how to read the response to it. `content` are httpx's names for what is sent."""

    method: str
    path: str
    read: Callable[[httpx.Response], Answer]
    content: Mapping[str, Any] = field(default_factory=dict)


class Arriving:
    """A response whose body arrives in parts, for which there are `timeout` seconds from now on in all."""

    def __init__(self, timeout: float) -> None:
        self._deadline = time.monotonic() + timeout
        self._body = bytearray()

    def add(self, part: bytes) -> None:
        """Raises `TimeoutError` for what comes too late, and `MalformedAnswer` for what no server answers."""
        self._body += part
        if time.monotonic() > self._deadline:
            raise TimeoutError
        if len(self._body) > LARGEST_ANSWER:
            raise MalformedAnswer(f"More than {LARGEST_ANSWER:,} bytes were answered: is it Sayseek?")

    def whole(self, response: httpx.Response) -> httpx.Response:
        """The response with the body that has arrived, which is unpacked already."""
        packed = {b"content-encoding", b"content-length", b"transfer-encoding"}
        return httpx.Response(
            response.status_code,
            headers=[(name, value) for name, value in response.headers.raw if name.lower() not in packed],
            content=bytes(self._body),
            request=response.request,
            extensions=response.extensions,
        )


@dataclass(frozen=True)
class Clip:
    """A recording to send: its bytes, and a name by which people know it."""

    data: bytes = field(repr=False)
    filename: str


@dataclass(frozen=True)
class Asked:
    """What is asked of a search beside its words; what is None or empty is left to the server."""

    filters: Sequence[str] = ()
    facets: Sequence[str] = ()
    index: str | None = None
    snippets: bool = False

    def params(self) -> dict[str, Any]:
        """By their names in the address, or the form. Raises `ValueError` for one text where several are meant."""
        lists = given_lists(filter=self.filters, facets=self.facets)
        return lists | _given(index=self.index, snippets="true" if self.snippets else None)


def connection(base_url: str | None, api_key: str | None, timeout: float) -> dict[str, Any]:
    """What both of httpx's clients are made with.

    Without `base_url` or `api_key`, SAYSEEK_SERVER and SAYSEEK_API_KEY count. Raises `ValueError` for an address that
    is not http(s), a key that does not fit a header, and a time-out that is not positive or longer than a day.
    """
    if not 0 < timeout <= LONGEST_TIMEOUT_SECONDS:
        raise ValueError(f"timeout is {timeout}: give seconds, more than 0 and at most {LONGEST_TIMEOUT_SECONDS:.0f}")
    key = (api_key or os.environ.get("SAYSEEK_API_KEY") or "").strip()
    if not key.isascii() or not key.isprintable():
        raise ValueError("the API key has characters that keys do not have: copy it again")
    return {
        "base_url": _server_url(base_url or os.environ.get("SAYSEEK_SERVER") or DEFAULT_SERVER),
        "headers": {"User-Agent": "sayseek"} | ({"Authorization": f"Bearer {key}"} if key else {}),
        # Before the whole time is over, so that a server that is not there is not taken for a slow one.
        "timeout": httpx.Timeout(timeout, connect=min(0.9 * timeout, CONNECT_SECONDS)),
    }


def identity(headers: httpx.Headers) -> dict[str, str]:
    """Of what a client sends along, that which says who asks."""
    return {name: headers[name] for name in ("User-Agent", "Authorization") if name in headers}


def read_clip(audio: Audio, filename: str | None) -> Clip:
    """The clip in `audio`: bytes, a path, or a file opened for reading bytes. Raises `OSError`."""
    if isinstance(audio, bytes):
        return Clip(audio, filename or "clip")
    if isinstance(audio, Path | str):
        return Clip(Path(audio).read_bytes(), filename or Path(audio).name)
    name = getattr(audio, "name", None)
    return Clip(audio.read(), filename or (Path(name).name if isinstance(name, str) else "clip"))


def voice_search(
    clip: Clip,
    model: str | None,
    language: str | None,
    limit: int | None,
    alternatives: int | None,
    keywords: Sequence[str],
    asked: Asked,
    unsure_results: bool,
) -> Call[VoiceSearchAnswer]:
    unsure = "true" if unsure_results else None
    form = _given(model=model, language=language, limit=limit, alternatives=alternatives, unsure_results=unsure)
    form |= given_lists(keywords=keywords) | asked.params()
    content = {"files": {"file": (sendable(clip.filename), clip.data)}, "data": form}
    return Call("POST", "/v1/voice-search", lambda r: read_answer(VoiceSearchAnswer, _json(r)), content)


def search(q: str, limit: int | None, offset: int | None, asked: Asked) -> Call[SearchAnswer]:
    content = {"params": _given(q=q, limit=limit, offset=offset) | asked.params()}
    return Call("GET", "/v1/search", lambda r: read_answer(SearchAnswer, _json(r)), content)


def put_documents(documents: Iterable[Mapping[str, Any]], index: str | None) -> Iterator[Call[int]]:
    """Calls that together put all documents; each answers how many it put."""
    for body in _ndjson(documents):
        yield _put(body, _given(index=index))


def replace_documents(documents: Iterable[Mapping[str, Any]], index: str | None, allow_empty: bool) -> Call[int]:
    body = b"".join(_ndjson(documents))
    return _put(body or b"[]", _given(index=index, replace="true", allow_empty="true" if allow_empty else None))


def _put(body: bytes, params: dict[str, str]) -> Call[int]:
    content = {"content": body, "headers": {"Content-Type": "application/x-ndjson"}, "params": params}
    return Call("PUT", "/v1/documents", lambda r: _count(r, "indexed"), content)


def get_document(document_id: str, index: str | None) -> Call[dict[str, Any]]:
    params = {"params": _given(index=index)}
    return Call("GET", _document_path(document_id), lambda r: read_answer(dict, _json(r)), params)


def delete_document(document_id: str, index: str | None) -> Call[int]:
    params = {"params": _given(index=index)}
    return Call("DELETE", _document_path(document_id), lambda r: _count(r, "deleted"), params)


def ready() -> Call[bool]:
    return Call("GET", "/readyz", _is_ready)


def _server_url(address: str) -> httpx.URL:
    try:
        url = httpx.URL(address.strip())
        url.raw_host.decode("ascii").encode("idna")  # as the socket will; it refuses what is no name
        host = url.host
    except (httpx.InvalidURL, UnicodeError) as exc:
        raise ValueError(f"{address!r:.200} is not an address: {exc}") from exc
    if url.scheme not in ("http", "https") or not host or url.query or url.fragment:
        raise ValueError(f"{address!r:.200} is not a server's address: write it as http://localhost:8000")
    if not 0 < (url.port or 80) < 65_536:
        raise ValueError(f"{address!r:.200} is not an address: ports go from 1 to 65535")
    return url


def _document_path(document_id: str) -> str:
    return f"/v1/documents/{quote(document_id, safe='')}"


def given_lists(**lists: Sequence[str]) -> dict[str, Any]:
    """Those that are not empty, by their names in an address or form. Raises `ValueError` for one text."""
    if any(isinstance(texts, str) for texts in lists.values()):
        raise ValueError('filters, facets and keywords are lists: write filters=["country:IS"]')
    return {name: [sendable(text) for text in texts] for name, texts in lists.items() if texts}


def _given(**values: str | int | None) -> dict[str, str]:
    return {name: sendable(str(value)) for name, value in values.items() if value is not None}


def sendable(text: str) -> str:
    """`text`, which may come from file names and arguments in no encoding, as UTF-8 can hold it."""
    return text.encode("utf-8", "backslashreplace").decode()


def _ndjson(documents: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """One JSON object a line, in bodies of about `BATCH_BYTES`."""
    lines: list[bytes] = []
    size = 0
    for document in documents:
        lines.append(json.dumps(dict(document), allow_nan=False).encode() + b"\n")
        size += len(lines[-1])
        if size >= BATCH_BYTES:
            yield b"".join(lines)
            lines, size = [], 0
    if lines:
        yield b"".join(lines)


def _json(response: httpx.Response) -> Any:
    """The body of a success. Raises the `ServerError` that another answer stands for, or `MalformedAnswer`."""
    if not response.is_success:
        raise error_from(response)
    try:
        return parse_json(response.content)
    except (ValueError, RecursionError) as exc:
        raise MalformedAnswer(f"{response.url} answered something that is not JSON: is it Sayseek?") from exc


def parse_json(text: str | bytes) -> Any:
    """Raises `ValueError` for what is not JSON, and `RecursionError` for what is nested without end."""
    return json.loads(text, parse_float=_finite, parse_constant=_finite)


def _finite(number: str) -> float:
    """JSON has no infinity and no NaN: they would not survive being printed again. Raises `ValueError`."""
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"{number} is not a number in JSON")
    return value


def _count(response: httpx.Response, name: str) -> int:
    return read_answer(int, read_answer(dict, _json(response)).get(name))


def _is_ready(response: httpx.Response) -> bool:
    try:
        _json(response)
    except Busy:
        return False
    return True
