"""The main job: a spoken clip comes in, the transcript and the search results go out."""

import asyncio
import logging
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, File, Form, Request, UploadFile
from pydantic import AfterValidator, BaseModel, Field

from asr.decoding.hypothesis import DecodingOptions
from asr.transcript import Transcript
from pipeline.voice_search import DEFAULT_ALTERNATIVES, VoiceQuery, voice_search_steps
from search.result import SearchOptions
from search.voice.query import VoiceSearchResult
from server.catalogues import Catalogue
from server.driver import drive
from server.errors import ApiError, busy
from server.ids import new_id
from server.keywords import MOST, hotword_trie, validate_keywords
from server.routes import AppServices
from server.schemas import LANGUAGE, Facets, Language, SearchResult, Total, errors
from server.search_requests import FACETS, FILTER, INDEX, SNIPPETS, UNSURE_RESULTS, search_options, search_results
from server.services import Services

logger = logging.getLogger(__name__)

router = APIRouter(prefix="/v1", tags=["voice search"])

T = TypeVar("T")


@dataclass(frozen=True)
class Asked:
    """What is asked of the search."""

    catalogue: Catalogue
    options: SearchOptions
    snippets: bool
    unsure_results: bool


class AlternativeBody(BaseModel):
    text: str = Field(examples=["Hotels in Rekyavik"])
    confidence: float = Field(examples=[0.41])


class TranscriptBody(BaseModel):
    text: str = Field(description="What was heard; empty when there was no speech.", examples=["Hotels in Reykjavik"])
    language: str = Field(description="ISO 639-1.", examples=["en"])
    confidence: float = Field(description="Geometric mean of the tokens' probabilities, 0 to 1.", examples=[0.93])
    duration: float = Field(description="Length of the clip in seconds.", examples=[2.31])
    alternatives: list[AlternativeBody] = Field(description="Other readings, the likeliest first.")


class QualityBody(BaseModel):
    """Measured before the model sees the clip, but for the verdict `unsure`."""

    speech_seconds: float = Field(description="Seconds in which somebody speaks.", examples=[1.62])
    level_dbfs: float = Field(description="RMS level of the speech.", examples=[-23.1])
    clipped: float = Field(description="Share of samples at full scale, 0 to 1.", examples=[0.0])
    verdict: str = Field(
        description="ok, clipped (recognised all the same), too_short, silent, no_speech, or unsure: what was heard "
        "may well be something else, and results come only with `unsure_results`.",
        examples=["ok"],
    )


class TimingsBody(BaseModel):
    """Where the time went, in milliseconds."""

    audio_ms: float = Field(description="Decoding, the gate, features.", examples=[3.1])
    queue_ms: float = Field(description="Waiting for a place, a thread, the model.", examples=[0.1])
    encode_ms: float = Field(examples=[12.0])
    decode_ms: float = Field(examples=[41.3])
    search_ms: float = Field(examples=[1.9])
    total_ms: float = Field(description="From the complete upload to the answer.", examples=[59.0])


class VoiceSearchAnswer(BaseModel):
    id: str = Field(examples=["vs_01JD8X4K5N9Q3R7T2V6W0Y1Z8A"])
    model: str = Field(examples=["base"])
    transcript: TranscriptBody
    query: str = Field(
        description="What was searched for: what was heard, or what it was taken for.", examples=["hotels in reykjavik"]
    )
    total: Total
    results: list[SearchResult]
    facets: Facets = None
    quality: QualityBody
    timings: TimingsBody


@router.post("/voice-search", responses=errors(400, 401, 403, 404, 408, 413, 503), response_model_exclude_none=True)
async def voice_search(
    request: Request,
    services: AppServices,
    file: Annotated[UploadFile, File(description="wav, flac, mp3, ogg, opus, webm, m4a/mp4; any rate, 1-8 channels.")],
    model: Annotated[str | None, Form(description="The server's model; see /readyz.", examples=["base"])] = None,
    language: Annotated[Language | None, Form(description=LANGUAGE, examples=["en", "en-US"])] = None,
    limit: Annotated[int, Form(description="Most results to give.", ge=1, le=100, examples=[10])] = 10,
    alternatives: Annotated[
        int, Form(description="Most other readings to give.", ge=0, le=10, examples=[3])
    ] = DEFAULT_ALTERNATIVES,
    keywords: Annotated[
        list[str],
        AfterValidator(validate_keywords),
        Form(
            description="Words or phrases that are expected, repeated or between commas; `word:3` expects one three "
            f"times as much as 1. At most {MOST}.",
            examples=[["Reykjavík", "Akureyri:2"]],
        ),
    ] = [],  # noqa: B006
    index: Annotated[str | None, Form(description=INDEX, examples=["default"])] = None,
    filters: Annotated[list[str], Form(alias="filter", description=FILTER, examples=[["countrycode:IS"]])] = [],  # noqa: B006
    facets: Annotated[list[str], Form(description=FACETS, examples=[["country"]])] = [],  # noqa: B006
    snippets: Annotated[bool, Form(description=SNIPPETS, examples=[False])] = False,
    unsure_results: Annotated[bool, Form(description=UNSURE_RESULTS, examples=[False])] = False,
) -> VoiceSearchAnswer:
    """Recognise a spoken query and search the catalogue for it."""
    options = decoding_options(services, model, language, alternatives)
    options = replace(options, bias=hotword_trie(keywords, services.transcriber.tokenizer))
    catalogue = services.catalogues.named(index)
    asked = Asked(catalogue, await search_options(catalogue, limit, filters, facets), snippets, unsure_results)
    data = await file.read()
    await file.close()
    return await while_connected(request, services, _answer(services, data, options, asked))


def decoding_options(services: Services, model: str | None, language: str | None, alternatives: int) -> DecodingOptions:
    """Raises ApiError (404) for a model that is not served and UnknownLanguage for one it does not know."""
    transcriber = services.transcriber
    if model and model != transcriber.name:
        raise ApiError(
            404,
            "model_not_found",
            f"The model {model!r} is not served here; {transcriber.name!r} is.",
            param="model",
        )
    return transcriber.options(language, alternatives)


async def _answer(services: Services, data: bytes, options: DecodingOptions, asked: Asked) -> VoiceSearchAnswer:
    started = time.monotonic()
    try:
        async with services.admission.place(), asyncio.timeout(services.settings.answer_timeout):
            query = VoiceQuery(options, asked.options, asked.catalogue.names, asked.unsure_results)
            steps = voice_search_steps(services.transcriber, partial(services.transcriber.prepare, data), query)
            outcome = await drive(steps, services, asked.catalogue, services.in_audio_thread)
            assert outcome.searched
            found = outcome.searched.results
            results = await search_results(asked.catalogue, found.query, found.page.results, snippets=asked.snippets)
    except TimeoutError:
        raise busy("The answer took too long and was given up. Try again, or send a shorter clip.", 5) from None
    transcript, stages = outcome.transcript, outcome.stages(started)
    _count(services, transcript, stages)
    if services.settings.log_transcripts:
        logger.info("heard %r, searched %r", transcript.text, found.query)
    milliseconds = {f"{stage}_ms": _milliseconds(seconds) for stage, seconds in stages.items()}
    timings = TimingsBody(**milliseconds, total_ms=_milliseconds(time.monotonic() - started))
    told = replace(transcript, alternatives=transcript.alternatives[: options.alternatives])
    facets = found.page.facets or {field: {} for field in asked.options.facets}  # as where nothing was said
    return _body(services.transcriber.name, told, found, results, facets, timings)


async def while_connected(request: Request, services: Services, work: Coroutine[Any, Any, T]) -> T:
    """Await work, and cancel it, with the place and the queue entry it holds, when the client leaves."""
    task = asyncio.create_task(work)
    leaving = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            services.metrics.disconnects.inc()
            raise ApiError(499, "client_closed_request", "The client left before the answer was ready.")
        return await task
    finally:
        task.cancel()
        leaving.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _count(services: Services, transcript: Transcript, stages: dict[str, float]) -> None:
    metrics = services.metrics
    metrics.audio_seconds.inc(transcript.duration)
    metrics.verdicts.labels(transcript.quality.verdict).inc()
    for stage, seconds in stages.items():
        metrics.stage_seconds.labels(stage).observe(seconds)


def _body(
    model: str,
    transcript: Transcript,
    found: VoiceSearchResult,
    results: list[SearchResult],
    facets: Mapping[str, Mapping[str, int]],
    timings: TimingsBody,
) -> VoiceSearchAnswer:
    quality = transcript.quality
    return VoiceSearchAnswer(
        id=new_id("vs"),
        model=model,
        transcript=TranscriptBody(
            text=transcript.text,
            language=transcript.language,
            confidence=round(transcript.confidence, 4),
            duration=round(transcript.duration, 3),
            alternatives=[
                AlternativeBody(text=other.text, confidence=round(other.confidence, 4))
                for other in transcript.alternatives
            ],
        ),
        query=found.query,
        total=found.page.total,
        results=results,
        facets=facets or None,
        quality=QualityBody(
            speech_seconds=quality.speech_seconds,
            level_dbfs=quality.level_dbfs,
            clipped=quality.clipped,
            verdict=quality.verdict,
        ),
        timings=timings,
    )


def _milliseconds(seconds: float) -> float:
    return round(1000 * seconds, 1)
