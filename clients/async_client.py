"""`AsyncClient`: as `Client`, for programs with an event loop; and streams."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import httpx

from clients import protocol
from clients.answers import SearchAnswer, VoiceSearchAnswer
from clients.errors import SayseekError, translated_errors, translated_setup_errors
from clients.live import protocol as live_protocol
from clients.live.protocol import StreamOptions
from clients.live.stream import Stream
from clients.protocol import TIMEOUT_SECONDS, Arriving, Asked, Audio, Call
from clients.retries import DEFAULT_RETRIES, NO_RETRIES, RECONNECTIONS, Retries, RetryOptions

Answer = TypeVar("Answer")


class AsyncClient:
    """`Client` for asyncio: the same options, methods and errors, awaited. Use it in an `async with` block."""

    def __init__(
        self,
        base_url: str | None = None,
        *,
        api_key: str | None = None,
        timeout: float = TIMEOUT_SECONDS,
        retry: RetryOptions = DEFAULT_RETRIES,
    ) -> None:
        with translated_setup_errors():
            self._http = httpx.AsyncClient(**protocol.connection(base_url, api_key, timeout))
        self._timeout = timeout
        self._retry = retry

    async def voice_search(
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
        """As `Client.voice_search`; files are read in a thread."""
        asked = Asked(filters, facets, index, snippets)
        clip = await asyncio.to_thread(protocol.read_clip, audio, filename)
        return await self._ask(
            protocol.voice_search(clip, model, language, limit, alternatives, keywords, asked, unsure_results)
        )

    async def search(
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
        """As `Client.search`."""
        return await self._ask(protocol.search(q, limit, offset, Asked(filters, facets, index, snippets)))

    async def put_documents(self, documents: Iterable[Mapping[str, Any]], *, index: str | None = None) -> int:
        """As `Client.put_documents`."""
        return sum([await self._ask(call) for call in protocol.put_documents(documents, index)])

    async def replace_documents(
        self, documents: Iterable[Mapping[str, Any]], *, index: str | None = None, allow_empty: bool = False
    ) -> int:
        """As `Client.replace_documents`."""
        return await self._ask(protocol.replace_documents(documents, index, allow_empty))

    async def get_document(self, document_id: str, *, index: str | None = None) -> dict[str, Any]:
        """As `Client.get_document`."""
        return await self._ask(protocol.get_document(document_id, index))

    async def delete_document(self, document_id: str, *, index: str | None = None) -> None:
        """As `Client.delete_document`."""
        await self._ask(protocol.delete_document(document_id, index))

    async def ready(self) -> bool:
        """As `Client.ready`."""
        return await self._ask(protocol.ready(), NO_RETRIES)

    def stream(
        self,
        *,
        sample_rate: int = 16_000,
        channels: int = 1,
        model: str | None = None,
        language: str | None = None,
        limit: int | None = None,
        alternatives: int | None = None,
        interims: bool = True,
        search: bool | Literal["interim"] = True,
        endpointing: bool = True,
        hangover: float | None = None,
        hangover_min: float | None = None,
        hangover_max: float | None = None,
        utterance_end: float | None = None,
        keywords: Sequence[str] = (),
        filters: Sequence[str] = (),
        index: str | None = None,
        unsure_results: bool = False,
        reconnect: RetryOptions = RECONNECTIONS,
    ) -> Stream:
        """Speech while it is spoken: audio in, words as they come and the results at once when the speaker stops.

        ```python
        async with client.stream() as stream, asyncio.TaskGroup() as tasks:
            tasks.create_task(speak(stream))  # awaits stream.send(pcm) again and again, then stream.finish()
            async for event in stream:
                if isinstance(event, Final):
                    print(event.text, [result.title for result in event.results])
        ```

        `sample_rate` from 8,000 to 48,000 Hz, one or two `channels`. With `interims` the words come while they are
        spoken; with `search="interim"` results do, too. The server finds where utterances end: after `hangover`
        seconds of silence, by its own judgement where None; a query that reads complete after as little as
        `hangover_min`, one that breaks off after as much as `hangover_max`. Without `endpointing` call `finalize` for
        that.
        `utterance_end`: seconds of silence after which `UtteranceEnd` comes. `keywords`, `filters`, `index` and
        `unsure_results` are as for `Client.voice_search`. A connection that breaks is opened again as `reconnect` says;
        the first as the client's `retry`.
        """
        options = StreamOptions(
            sample_rate=sample_rate,
            channels=channels,
            model=model,
            language=language,
            limit=limit,
            alternatives=alternatives,
            interims=interims,
            search=search,
            endpointing=endpointing,
            hangover=hangover,
            hangover_min=hangover_min,
            hangover_max=hangover_max,
            utterance_end=utterance_end,
            keywords=keywords,
            filters=filters,
            index=index,
            unsure_results=unsure_results,
        )
        return Stream(
            live_protocol.address(self._http.base_url, options),
            str(self._http.base_url),
            protocol.identity(self._http.headers),
            options,
            timeout=self._timeout,
            connecting=self._retry,
            reconnecting=reconnect,
        )

    async def close(self) -> None:
        """Closes the connections. The client cannot be used after it."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _ask(self, call: Call[Answer], retry: RetryOptions | None = None) -> Answer:
        retries = Retries(retry or self._retry)
        while True:
            try:
                with translated_errors(str(self._http.base_url)):
                    async with asyncio.timeout(self._timeout):
                        return call.read(await self._response(call))
            except SayseekError as error:
                wait = retries.wait_after(error)
            await asyncio.sleep(wait)

    async def _response(self, call: Call[Answer]) -> httpx.Response:
        arriving = Arriving(self._timeout)
        async with self._http.stream(call.method, call.path, **call.content) as response:
            async for part in response.aiter_bytes():
                arriving.add(part)
        return arriving.whole(response)
