"""What a request may ask of a search beside its words, and how it is told what was found."""

from collections.abc import Sequence

from search.catalogue.filters import parse_filters
from search.catalogue.schema import Schema
from search.highlighting import highlights
from search.index import SearchIndex
from search.result import MAX_DEPTH, Result, SearchOptions
from server.catalogues import Catalogue
from server.errors import ApiError
from server.schemas import SearchResult

INDEX = "The catalogue, by its name: `GET /v1/indexes` lists them. Absent: the default one."
FILTER = (
    "Only documents that pass this: `field:value`, `field:one,another`, `field:10..20`, `field:10..`, "
    "`field:2026-01-31..`; with `-` before it, only those that do not. Give it several times, and all must hold."
)
FACETS = "Fields, separated by commas, by whose values the documents that match are counted."
UNSURE_RESULTS = "Give results, too, where what was heard is unsure and may well be something else."
SNIPPETS = "Give each result `highlights`: HTML, escaped, with the query's words in `<mark>`."


async def search_options(
    catalogue: Catalogue, limit: int, filters: Sequence[str] = (), facets: Sequence[str] = (), offset: int = 0
) -> SearchOptions:
    """Raises InvalidFilter for filters, and ApiError (400) for facets and pages that are not to be had."""
    if offset + limit > MAX_DEPTH:
        advice = f"together with limit it may reach {MAX_DEPTH}; filters, or more words, bring up what lies deeper"
        raise ApiError(400, "invalid_request", f"offset: {advice}.", param="offset")
    index = catalogue.index
    asked = [text for text in filters if text.strip()]
    if not asked and not facets:
        return SearchOptions(limit, offset)
    schema = await catalogue.reading(_schema, index)
    return SearchOptions(limit, offset, parse_filters(asked, schema), _facets(facets, schema))


def _schema(index: SearchIndex) -> Schema:
    """Which a database may have to be asked for."""
    return index.schema


def _facets(given: Sequence[str], schema: Schema) -> tuple[str, ...]:
    """The fields that are named, each once."""
    names = dict.fromkeys(name.strip() for text in given for name in text.split(",") if name.strip())
    countable = schema.filtered("value")
    for name in names:
        if name not in countable:
            there_are = f"these fields have: {', '.join(countable)}" if countable else "no field here has"
            message = f"{name[:100]!r} has no values that are counted; {there_are}."
            raise ApiError(400, "invalid_filter", message, param="facets")
    return tuple(names)


async def search_results(
    catalogue: Catalogue, query: str, results: Sequence[Result], *, snippets: bool
) -> list[SearchResult]:
    """What was found, as it is answered."""
    if not snippets:
        return [SearchResult.of(result) for result in results]
    told = await catalogue.reading(_highlights, query, results, catalogue.index)
    return [SearchResult.of(result, marked) for result, marked in zip(results, told, strict=True)]


def _highlights(query: str, results: Sequence[Result], index: SearchIndex) -> list[dict[str, str]]:
    return highlights(query, results, index.schema)
