"""What PostgreSQL is asked: for documents that match or pass filters, and for those that sound keys find."""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from psycopg import sql

from search.catalogue.filters import Between, Filter, OneOf
from search.postgres.entry import compared_value
from search.postgres.scoring import Scoring, Statistics, any_of
from search.result import MAX_FACET_VALUES, SearchOptions
from search.text.ranking import MAX_PRIOR

# How many documents that have seldom lexemes are scored at first, at most.
FIRST = 5_000
# How many are where those are too few, or not clearly the best; and how many more that have only common ones.
MOST = 20_000
# How many entries of the index a search by sound reads, at most: some 50 ms. Keys that many documents have come last.
# With six times as many, of a million documents the right one was among 32 candidates for 1.6 % more of the queries.
MAX_POSTINGS = 25_000


class Matching:
    """The documents that any of these queries finds and that pass all filters; of several queries the best counts."""

    def __init__(self, scorings: Iterable[Scoring], statistics: Statistics, filters: Sequence[Filter]) -> None:
        self._scorings = [scoring for scoring in scorings if scoring.required]
        self._filters = filters
        self._matching = statistics.matching
        self._required = self._by_rarity({each for scoring in self._scorings for each in scoring.required})
        self._scored = self._by_rarity({each for scoring in self._scorings for each in scoring.lexemes})

    @property
    def is_possible(self) -> bool:
        """Whether the catalogue has any of the terms; all else is only for where it has."""
        return bool(self._required)

    def likeliest(self) -> Iterator[tuple[sql.Composed, float]]:
        """More and more of them, and what none of the others scores more than.

        First those that have seldom lexemes. In the end all, or where more than `MOST` have only common ones the most
        popular.
        """
        seldom: list[str] = []
        for most in (FIRST, MOST):
            more = self._seldom(most)
            if len(more) > len(seldom) and not set(self._required) <= set(more):
                yield self._with_any(more), (1 + MAX_PRIOR) * max(each.most_without(more) for each in self._scorings)
            seldom = more
        others = self._limited(sql.SQL("{}{}").format(_any(self._required), self._without(seldom)))
        if seldom:
            others = sql.SQL("{} UNION ALL {}").format(self._with_any(seldom), others)
        yield others, 0.0

    def _seldom(self, most: int) -> list[str]:
        """The most seldom lexemes, which so many documents have together at most."""
        read = accumulate(self._matching[each] for each in self._scored)
        return [each for each, so_far in zip(self._scored, read, strict=True) if so_far <= most]

    def _with_any(self, lexemes: list[str]) -> sql.Composed:
        # The second is not a condition that an index could be used for: that would read the common lexemes, too.
        return self._limited(sql.SQL("{} AND CASE WHEN {} THEN true END").format(_any(lexemes), _any(self._required)))

    def _without(self, lexemes: list[str]) -> sql.Composable:
        return (
            sql.SQL(" AND NOT CASE WHEN {} THEN true ELSE false END").format(_any(lexemes)) if lexemes else sql.SQL("")
        )

    def _limited(self, condition: sql.Composable) -> sql.Composed:
        scores = sql.SQL(", ").join(map(self._score, self._scorings))
        columns = sql.SQL("number, id, weight * greatest({}) AS score").format(scores)
        return sql.SQL("({} ORDER BY weight DESC LIMIT {})").format(self._found(columns, condition), sql.Literal(MOST))

    def counted(self) -> sql.Composed:
        """How many they are. Who has one common lexeme is known, and need not be looked at."""
        seldom = set(self._seldom(MOST))
        common = [each for each in self._required if each not in seldom]
        if self._filters or len(common) != 1:
            return counted(self._found(sql.SQL("1"), _any(self._required)))
        others = [each for each in self._required if each in seldom]
        beside = sql.SQL("{}{}").format(_any(others), self._without(common)) if others else sql.SQL("false")
        return sql.SQL("SELECT {} + count(*) FROM documents WHERE {}").format(
            sql.Literal(self._matching[common[0]]), beside
        )

    def _by_rarity(self, lexemes: Iterable[str]) -> list[str]:
        return sorted(lexemes, key=lambda each: (self._matching[each], each))

    def written(self) -> sql.Composed:
        """The values that they have."""
        return self._found(sql.SQL("written"), _any(self._required))

    def _found(self, columns: sql.Composable, condition: sql.Composable) -> sql.Composed:
        return sql.SQL("SELECT {} FROM documents WHERE {}{}").format(columns, condition, _and(self._filters))

    def _score(self, scoring: Scoring) -> sql.Composed:
        """A query that does not find a document says nothing of it."""
        if len(self._scorings) == 1:
            return scoring.score
        return sql.SQL("CASE WHEN {} THEN {} ELSE 0 END").format(_any(scoring.required), scoring.score)


def passing(filters: Sequence[Filter]) -> sql.Composed:
    """The documents that pass all filters, their popularity being their score, and the values that they have."""
    return sql.SQL("SELECT number, id, written, coalesce(popularity, 0) AS score FROM documents WHERE true{}").format(
        _and(filters)
    )


def answer(
    documents: sql.Composable, total: sql.Composable, written: sql.Composable, options: SearchOptions
) -> sql.Composed:
    """One row, of one moment: a page of [record, score], how many there are, and each facet's [value, how many].

    `documents` have the `number`, `id` and `score` of those that may be on the page, `written` the values of all.
    """
    facets = [sql.SQL(", ({})").format(_facet(written, field)) for field in options.facets]
    return sql.SQL(
        """
        SELECT (
            SELECT coalesce(json_agg(json_build_array(record, score) ORDER BY score DESC, id), '[]') FROM (
                SELECT number, score FROM ({documents}) AS found ORDER BY score DESC, id LIMIT {limit} OFFSET {offset}
            ) AS best JOIN documents USING (number)
        ), ({total}){facets}
        """
    ).format(
        documents=documents,
        limit=sql.Literal(max(0, options.limit)),
        offset=sql.Literal(options.offset),
        total=total,
        facets=sql.Composed(facets),
    )


def counted(documents: sql.Composable) -> sql.Composed:
    """How many these documents are."""
    return sql.SQL("SELECT count(*) FROM ({}) AS found").format(documents)


def _facet(written: sql.Composable, field: str) -> sql.Composed:
    """The values that most of these documents have in a field, and how many do."""
    return sql.SQL(
        """
        SELECT coalesce(json_agg(json_build_array(value, times) ORDER BY times DESC, value COLLATE "C"), '[]') FROM (
            SELECT value, count(*) AS times
            FROM ({written}) AS found, jsonb_array_elements_text(written -> {field}) AS value
            GROUP BY value ORDER BY times DESC, value COLLATE "C" LIMIT {limit}
        ) AS counts
        """
    ).format(written=written, field=sql.Literal(field), limit=sql.Literal(MAX_FACET_VALUES))


def any_key(statistics: Statistics, limit: int, filters: Sequence[Filter]) -> sql.Composed:
    """The documents that these keys find, each counting by how seldom it is, the seldom ones first: id and names.

    In the order in which they came.
    """
    known = sorted((matching, key) for key, matching in statistics.matching.items() if matching > 0)
    read = accumulate(matching for matching, _ in known)
    chosen = [
        (key, statistics.worth(matching))
        for (matching, key), so_far in zip(known, read, strict=True)
        if so_far <= MAX_POSTINGS or so_far == matching
    ]
    return sql.SQL(
        """
        SELECT id, named FROM (
            SELECT number, sum(worth) AS shared
            FROM unnest({keys}::text[], {worths}::float8[]) AS key (key, worth)
            JOIN documents ON sounds @> ARRAY[key]{filters}
            GROUP BY number ORDER BY shared DESC, number LIMIT {limit}
        ) AS best JOIN documents USING (number) ORDER BY number
        """
    ).format(
        keys=sql.Literal([key for key, _ in chosen]),
        worths=sql.Literal([worth for _, worth in chosen]),
        filters=_and(filters),
        limit=sql.Literal(limit),
    )


def _any(lexemes: Iterable[str]) -> sql.Composed:
    """Whether a document has any of these lexemes."""
    return sql.SQL("terms @@ {}").format(any_of(lexemes))


def _and(filters: Iterable[Filter]) -> sql.Composed:
    return sql.Composed(
        [sql.SQL(" AND NOT {}" if asked.excludes else " AND {}").format(_filter(asked)) for asked in filters]
    )


def _filter(asked: Filter) -> sql.Composed:
    """Whether a document has what a filter names, whether it excludes that or not."""
    match asked:
        case OneOf():
            wanted = [compared_value(asked.field, value) for value in asked.values]
            return sql.SQL("(compared && {}::text[])").format(sql.Literal(wanted))
        case Between():
            ends = {"least": asked.least, "most": asked.most}
            path = f"$.{json.dumps(asked.field)}[*] ? ({' && '.join(_ends(asked)) or 'true'})"
            return sql.SQL("jsonb_path_exists(quantities, {}, {})").format(
                sql.Literal(path), sql.Literal(json.dumps(ends))
            )


def _ends(asked: Between) -> Iterator[str]:
    if asked.least is not None:
        yield "@ >= $least"
    if asked.most is not None:
        yield "@ <= $most"
