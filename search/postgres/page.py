"""What PostgreSQL finds: pages of results, how many there are of all, and their facets."""

from typing import Any

import psycopg
from psycopg import sql

from search.catalogue.document import RESERVED
from search.postgres.query import Matching, answer, counted, passing
from search.result import Result, SearchOptions, SearchPage


def nothing(options: SearchOptions) -> SearchPage:
    return SearchPage([], 0, {facet: {} for facet in options.facets})


def matching_page(connection: psycopg.Connection, matching: Matching, options: SearchOptions) -> SearchPage:
    """The best of the documents that match. Those that cannot come that far up are counted, but not scored."""

    for documents, most_of_others in matching.likeliest():
        found = _found(connection, answer(documents, matching.counted(), matching.written(), options), options)
        if len(found.results) >= options.limit and _reaches(found, most_of_others):
            break
    return found


def passing_page(connection: psycopg.Connection, options: SearchOptions) -> SearchPage:
    """The most popular of the documents that pass the filters."""
    documents = passing(options.filters)
    return _found(connection, answer(documents, counted(documents), documents, options), options)


def _reaches(found: SearchPage, score: float) -> bool:
    """Whether all results have more than this score."""
    return not found.results or found.results[-1].score > score


def _found(connection: psycopg.Connection, asked: sql.Composed, options: SearchOptions) -> SearchPage:
    row = connection.execute(asked).fetchone()
    assert row  # an answer is one row
    page, total, *facets = row
    counts = {name: dict(pairs) for name, pairs in zip(options.facets, facets, strict=True)}
    return SearchPage([_result(record, score) for record, score in page], total, counts)


def _result(record: dict[str, Any], score: float) -> Result:
    fields = {key: value for key, value in record.items() if key not in RESERVED}
    return Result(record["id"], score, record["title"], record.get("body", ""), fields)
