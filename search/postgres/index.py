"""The index that several servers share: a catalogue in PostgreSQL (https://www.postgresql.org)."""

from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import psycopg

from search.catalogue.document import Document
from search.catalogue.filters import Filter, check_filters
from search.catalogue.schema import Schema
from search.errors import IndexBusy, IndexUnavailable
from search.phonetic.names import PhoneticNames
from search.postgres.address import Address
from search.postgres.entry import searched_fields
from search.postgres.migration import prepare
from search.postgres.page import matching_page, nothing, passing_page
from search.postgres.pool import LOCK_SECONDS, Connections
from search.postgres.query import Matching, any_key
from search.postgres.scoring import Scoring, Statistics, lexemes
from search.postgres.writer import MANY, Staged, keep_schema, remove, take_turn
from search.result import SearchOptions, SearchPage
from search.text.ranking import query_terms
from search.text.synonyms import Synonyms
from search.text.tokens import is_text

# The revision of a schema that nobody has given yet.
NEW = 0

_STATISTICS = """
    SELECT revision, documents,
           (SELECT array_agg(total::bigint ORDER BY position) FROM lengths),
           (SELECT json_object_agg(term, terms.documents) FROM terms WHERE term = ANY(%s))
    FROM catalogue
"""
# PostgreSQL takes nothing out of JSON that has a zero character anywhere: such a record is read whole.
_TITLES = r"SELECT CASE WHEN strpos(record::text, '\u0000') = 0 THEN record -> 'title' ELSE record END FROM documents"


@dataclass(frozen=True)
class SchemaRevision:
    """The catalogue's schema, as of some `revision`."""

    revision: int
    schema: Schema
    synonyms: Synonyms


class PostgresIndex:
    """A `SearchIndex` in a database, which any number of processes share: all see what any has committed.

    Writers gather their documents at the same time, and take turns to put them in.
    """

    def __init__(self, url: str, schema: Schema | None = None, writer_wait: float = LOCK_SECONDS) -> None:
        """Open the catalogue at `postgresql://…`, or make it; a write waits `writer_wait` seconds for other writers."""
        self._address = Address.of(url)
        self._connections = Connections(self._address)
        self._writer_wait = writer_wait
        self._latest = SchemaRevision(-1, Schema(), Synonyms(()))
        try:
            with self._connections.one(patient=True) as connection:
                prepare(connection, self._address)
                self._adopt(connection, schema)
        except BaseException:
            self.close()
            raise

    @property
    def schema(self) -> Schema:
        with self._connections.one() as connection:
            return self._current(connection).schema

    def upsert(self, documents: Iterable[Document]) -> int:
        with self._connections.one(patient=True) as connection:
            # Outside the transaction: who waits for a turn must not hold a table that another is to replace.
            before, figures = self._statistics(connection, lambda _: ())
            is_first = figures.documents == 0
            with connection.transaction():
                staged = Staged(connection, documents, before.schema, lasting=is_first)
                take_turn(connection, self._writer_wait)
                now, figures = self._statistics(connection, lambda _: ())
                if now.schema.layout != before.schema.layout:
                    raise IndexBusy(f"{self._address} was replaced by another writer meanwhile; try again")
                if is_first and staged.count >= MANY and figures.documents == 0:
                    staged.replace_all()
                else:
                    staged.merge()
            return staged.count

    def replace(self, documents: Iterable[Document], schema: Schema | None = None) -> int:
        with self._connections.one(patient=True) as connection:
            new = schema or self._current(connection).schema
            with connection.transaction():
                staged = Staged(connection, documents, new, lasting=True)
                take_turn(connection, self._writer_wait)
                staged.replace_all()
                keep_schema(connection, new)
            return staged.count

    def delete(self, ids: Iterable[str]) -> int:
        known = [document_id for document_id in set(ids) if _can_be_id(document_id)]
        with self._connections.one(patient=True) as connection, connection.transaction():
            take_turn(connection, self._writer_wait)
            return remove(connection, known)

    def get(self, document_id: str) -> Document | None:
        with self._connections.one() as connection:
            if not _can_be_id(document_id):
                return None
            row = connection.execute("SELECT record FROM documents WHERE id = %s", (document_id,)).fetchone()
        return Document.from_record(row[0]) if row else None

    def search(self, query: str, options: SearchOptions = SearchOptions()) -> SearchPage:
        terms = query_terms(query)

        def wanted(now: SchemaRevision) -> Collection[str]:
            return lexemes(now.schema, now.synonyms.variants(terms))

        with self._connections.one() as connection:
            now, statistics = self._statistics(connection, wanted)
            check_filters(options.filters, options.facets, now.schema)
            if not terms:
                return passing_page(connection, options) if options.filters else nothing(options)
            scorings = [Scoring(now.schema, statistics, variant) for variant in now.synonyms.variants(terms)]
            matching = Matching(scorings, statistics, options.filters)
            return matching_page(connection, matching, options) if matching.is_possible else nothing(options)

    def sounding_like(self, keys: Collection[str], limit: int, filters: Sequence[Filter] = ()) -> list[PhoneticNames]:
        with self._connections.one() as connection:
            now, statistics = self._statistics(connection, lambda _: keys)
            check_filters(filters, (), now.schema)
            rows = connection.execute(any_key(statistics, limit, filters)).fetchall()
        return [PhoneticNames(document_id, *named) for document_id, named in rows]

    def titles(self) -> list[str]:
        with self._connections.one() as connection:
            found = connection.cursor().stream(_TITLES)
            return [title if isinstance(title, str) else title["title"] for (title,) in found]

    def revision(self) -> Hashable:
        with self._connections.one() as connection:
            return connection.execute("SELECT changes FROM catalogue").fetchone()

    def count(self) -> int:
        with self._connections.one() as connection:
            return self._statistics(connection, lambda _: ())[1].documents

    def close(self) -> None:
        self._connections.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _statistics(
        self, connection: psycopg.Connection, wanted: Callable[[SchemaRevision], Collection[str]]
    ) -> tuple[SchemaRevision, Statistics]:
        """The catalogue's schema and figures as of now, with those of the wanted lexemes or keys."""
        while True:
            known = self._latest
            row = connection.execute(_STATISTICS, (list(wanted(known)),)).fetchone()
            assert row  # the catalogue has one row
            revision, documents, lengths, matching = row
            if revision == known.revision:
                by_field = dict(zip(searched_fields(known.schema), lengths or (), strict=False))
                return known, Statistics(documents, matching or {}, by_field)
            self._latest = _read_schema(connection)

    def _current(self, connection: psycopg.Connection) -> SchemaRevision:
        return self._statistics(connection, lambda _: ())[0]

    def _adopt(self, connection: psycopg.Connection, schema: Schema | None) -> None:
        """Use another schema of the same layout, as all other processes do from now on; a new catalogue takes any."""
        if not self._is_other(self._current(connection), schema):
            return
        with connection.transaction():
            take_turn(connection, self._writer_wait)
            if self._is_other(self._current(connection), schema):
                keep_schema(connection, schema or Schema())

    def _is_other(self, current: SchemaRevision, schema: Schema | None) -> bool:
        if current.revision == NEW:
            return True
        if schema and current.schema.layout != schema.layout:
            problem = "was made for other fields, or other uses of them, than its catalogue's configuration has now"
            advice = "index the catalogue again with `sayseek-server index FILE --replace`"
            raise IndexUnavailable(f"{self._address} {problem}; {advice}")
        return schema not in (None, current.schema)


def _read_schema(connection: psycopg.Connection) -> SchemaRevision:
    row = connection.execute("SELECT revision, schema FROM catalogue").fetchone()
    assert row  # the catalogue has one row
    schema = Schema.from_record(row[1])
    return SchemaRevision(row[0], schema, Synonyms(schema.synonyms))


def _can_be_id(text: str) -> bool:
    """Whether PostgreSQL can have it as text at all."""
    return is_text(text) and "\0" not in text
