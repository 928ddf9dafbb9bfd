"""What a search is asked beside its words, and what it gives back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from search.catalogue.document import JSON
from search.catalogue.filters import Filter

MAX_DEPTH = 1000  # the last place that can be asked for
MAX_FACET_VALUES = 100

Match = Literal["text", "sound", "acoustic"]
"""Why a document is among the results: it has words of the text that was heard or typed; or it is called what sounds
like a part of that; or it is so, and the acoustic model finds it likely."""


@dataclass(frozen=True)
class SearchOptions:
    """`limit` results after the first `offset` ones, among the documents that pass all `filters`.

    For each of `facets`, fields that can be filtered by value, the documents that match are counted by their values.
    """

    limit: int = 10
    offset: int = 0
    filters: tuple[Filter, ...] = ()
    facets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """A document that was found. `score` compares with the other results of the same search only."""

    id: str
    score: float
    title: str
    body: str
    fields: Mapping[str, JSON]
    match: Match = "text"


@dataclass(frozen=True)
class SearchPage:
    """A page of results, the best first, and how many documents match in `total`, whatever page is shown.

    `facets` has, for each field asked for, how many of them have each value: the `MAX_FACET_VALUES` most frequent,
    as the documents write them, the most frequent first.
    """

    results: list[Result]
    total: int = 0
    facets: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
