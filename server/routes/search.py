"""Typed search over the same catalogue that spoken queries find."""

import time
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from search.result import SearchOptions
from search.voice_query import Proposal, find
from server.routes import AppServices
from server.schemas import SearchResult, errors

router = APIRouter(prefix="/v1", tags=["search"])


class SearchTimings(BaseModel):
    """Milliseconds."""

    search_ms: float = Field(examples=[0.4])
    total_ms: float = Field(examples=[0.6])


class SearchAnswer(BaseModel):
    query: str = Field(description="What was searched for.", examples=["reykjavik"])
    results: list[SearchResult]
    timings: SearchTimings


@router.head("/search", include_in_schema=False)
@router.get("/search", responses=errors(400, 401, 503))
async def search(
    services: AppServices,
    q: Annotated[str, Query(description="What to look for.", min_length=1, max_length=1000, examples=["Reykjavik"])],
    limit: Annotated[int, Query(description="Most results to give.", ge=1, le=100, examples=[10])] = 10,
) -> SearchAnswer:
    """Search the catalogue by typed text."""
    started = time.monotonic()
    found = await services.in_search_thread(find, Proposal(q), services.index, SearchOptions(limit))
    milliseconds = round(1000 * (time.monotonic() - started), 1)
    return SearchAnswer(
        query=found.query,
        results=[SearchResult.of(result) for result in found.found.results],
        timings=SearchTimings(search_ms=milliseconds, total_ms=milliseconds),
    )
