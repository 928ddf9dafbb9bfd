"""Typed search over the same catalogue that spoken queries find."""

import time
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from search.result import MAX_DEPTH
from search.voice.hypothesis import RecognisedText
from search.voice.query import Proposal, search_rewrites
from server.errors import ApiError
from server.routes import AskedCatalogue
from server.schemas import Facets, SearchResult, Total, errors
from server.search_requests import FACETS, FILTER, SNIPPETS, search_options, search_results

router = APIRouter(prefix="/v1", tags=["search"])


class SearchTimings(BaseModel):
    """Milliseconds."""

    search_ms: float = Field(examples=[0.4])
    total_ms: float = Field(examples=[0.6])


class SearchAnswer(BaseModel):
    query: str = Field(description="What was searched for.", examples=["reykjavik"])
    total: Total
    results: list[SearchResult]
    facets: Facets = None
    timings: SearchTimings


@router.head("/search", include_in_schema=False)
@router.get("/search", responses=errors(400, 401, 403, 404, 503), response_model_exclude_none=True)
async def search(
    catalogue: AskedCatalogue,
    q: Annotated[
        str,
        Query(
            description="What to look for: any text, every word of it an alternative. May be left out where there is a "
            "filter: then all that pass it are found, the most popular first.",
            max_length=1000,
            examples=["Reykjavik"],
        ),
    ] = "",
    filters: Annotated[list[str], Query(alias="filter", description=FILTER, examples=[["countrycode:IS"]])] = [],  # noqa: B006
    facets: Annotated[list[str], Query(description=FACETS, examples=[["country"]])] = [],  # noqa: B006
    limit: Annotated[int, Query(description="Most results to give.", ge=1, le=100, examples=[10])] = 10,
    offset: Annotated[
        int, Query(description="Results to pass over, for the next pages.", ge=0, le=MAX_DEPTH, examples=[0])
    ] = 0,
    snippets: Annotated[bool, Query(description=SNIPPETS, examples=[False])] = False,
) -> SearchAnswer:
    """Search the catalogue by typed text."""
    started = time.monotonic()
    options = await search_options(catalogue, limit, filters, facets, offset)
    if not q and not options.filters:
        raise ApiError(400, "invalid_request", "q: say what to look for, or send a filter.", param="q")
    found = await catalogue.reading(search_rewrites, Proposal(RecognisedText(q)), catalogue.index, options)
    searched = time.monotonic()
    results = await search_results(catalogue, found.query, found.page.results, snippets=snippets)
    return SearchAnswer(
        query=found.query,
        total=found.page.total,
        results=results,
        facets=found.page.facets or None,
        timings=SearchTimings(search_ms=_milliseconds(searched - started), total_ms=_since(started)),
    )


def _since(started: float) -> float:
    return _milliseconds(time.monotonic() - started)


def _milliseconds(seconds: float) -> float:
    return round(1000 * seconds, 1)
