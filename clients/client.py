"""`Client`: a clip or a query in, answers out.

It differs from `async_client.AsyncClient` only in how it waits: `protocol` says what is sent and how answers are read,
`retries` when a request is tried again, `errors` what is raised.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from clients import protocol
from clients.answers import SearchAnswer, VoiceSearchAnswer
from clients.errors import SayseekError, translated_errors, translated_setup_errors
from clients.protocol import TIMEOUT_SECONDS, Arriving, Asked, Audio, Call
from clients.retries import DEFAULT_RETRIES, NO_RETRIES, Retries, RetryOptions

Answer = TypeVar("Answer")


class Client:
    """Asks one server; may be shared between threads. Use it in a `with` block, or call `close`.

    `base_url` defaults to the variable SAYSEEK_SERVER, else http://127.0.0.1:8000; `api_key` to SAYSEEK_API_KEY.
    `timeout` is in seconds and counts for each try. Servers that are busy or not to be reached are tried again as
    `retry` says. Raises `ValueError` for options that cannot be meant; methods raise `clients.errors.SayseekError`.
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        api_key: str | None = None,
        timeout: float = TIMEOUT_SECONDS,
        retry: RetryOptions = DEFAULT_RETRIES,
    ) -> None:
        with translated_setup_errors():
            self._http = httpx.Client(**protocol.connection(base_url, api_key, timeout))
        self._timeout = timeout
        self._retry = retry

    def voice_search(
        self,
        audio: Audio,
        *,
        filename: str | None = None,
        model: str | None = None,
        language: str | None = None,
        limit: int | None = None,
        alternatives: int | None = None,
        keywords: Sequence[str] = (),
        filters: Sequence[str] = (),
        facets: Sequence[str] = (),
        index: str | None = None,
        snippets: bool = False,
        unsure_results: bool = False,
    ) -> VoiceSearchAnswer:
        """What is said in a clip, and what the catalogue has for it.

        `audio` is a path, the bytes of a file (wav, flac, mp3, ogg, opus, webm, m4a, …) or a file opened in binary
        mode. `language` is such as "en", "en-US" or "English"; at most `limit` results (1 to 100) and `alternatives`
        (0 to 10). What is None, the server chooses. `keywords` are words or phrases that are expected; "Akureyri:2"
        is, twice as much. Only documents that pass all `filters`, such as "country:IS", of the catalogue `index` are
        found; for each of the fields in `facets` those that match are counted by its values; `snippets` gives results
        `highlights`. Where it is unsure what was said there are results with `unsure_results` only.
        Raises `OSError` when the file cannot be read.
        """
        asked = Asked(filters, facets, index, snippets)
        clip = protocol.read_clip(audio, filename)
        return self._ask(
            protocol.voice_search(clip, model, language, limit, alternatives, keywords, asked, unsure_results)
        )

    def search(
        self,
        q: str = "",
        limit: int | None = None,
        offset: int | None = None,
        *,
        filters: Sequence[str] = (),
        facets: Sequence[str] = (),
        index: str | None = None,
        snippets: bool = False,
    ) -> SearchAnswer:
        """What the catalogue has for a typed query: at most `limit` results (1 to 100) after the first `offset`.

        The rest is as for `voice_search`. With filters `q` may be empty: all that pass them, the most popular first.
        """
        return self._ask(protocol.search(q, limit, offset, Asked(filters, facets, index, snippets)))

    def put_documents(self, documents: Iterable[Mapping[str, Any]], *, index: str | None = None) -> int:
        """Adds documents `{"id", "title", "body"?, …}`, or replaces those with the same id; gives how many.

        They travel in batches: after an error, those before it may be in the catalogue, and putting all again is safe.
        """
        return sum(self._ask(call) for call in protocol.put_documents(documents, index))

    def replace_documents(
        self, documents: Iterable[Mapping[str, Any]], *, index: str | None = None, allow_empty: bool = False
    ) -> int:
        """Makes these all the documents that there are, at once; gives how many.

        They travel in one request, for which servers take some 25 MB. None at all is refused without `allow_empty`.
        """
        return self._ask(protocol.replace_documents(documents, index, allow_empty))

    def get_document(self, document_id: str, *, index: str | None = None) -> dict[str, Any]:
        """One document, as it was put. Raises `NotFound`."""
        return self._ask(protocol.get_document(document_id, index))

    def delete_document(self, document_id: str, *, index: str | None = None) -> None:
        """Takes one document out of the catalogue. Raises `NotFound`."""
        self._ask(protocol.delete_document(document_id, index))

    def ready(self) -> bool:
        """Whether the server has loaded its model and index; asked once. Raises `ServerUnreachable`."""
        return self._ask(protocol.ready(), NO_RETRIES)

    def close(self) -> None:
        """Closes the connections. The client cannot be used after it."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, call: Call[Answer], retry: RetryOptions | None = None) -> Answer:
        retries = Retries(retry or self._retry)
        while True:
            try:
                with translated_errors(str(self._http.base_url)):
                    return call.read(self._response(call))
            except SayseekError as error:
                wait = retries.wait_after(error)
            time.sleep(wait)

    def _response(self, call: Call[Answer]) -> httpx.Response:
        arriving = Arriving(self._timeout)
        with self._http.stream(call.method, call.path, **call.content) as response:
            for part in response.iter_bytes():
                arriving.add(part)
        return arriving.whole(response)
