"""Changing a catalogue in PostgreSQL, inside a transaction that the caller began.

Documents are staged first, in a table that nobody else knows. Then whoever has the lock either merges them into the
catalogue's table, or puts the staged table in its place: its indexes are built over all documents at once, which is
much faster, and others read the old table until the transaction's end.
"""

import json
import time
import uuid
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import LiteralString

import psycopg
from psycopg import sql

from search.catalogue.document import Document
from search.catalogue.schema import Schema
from search.postgres.entry import COLUMNS, row

# Documents of which only the last with each id is staged.
GATHERED = 256
# Documents that are worth an index of their own.
MANY = 1000
# How often to try to have the tables alone, how long each time, and the seconds between: somebody may be dumping them.
SWAP_TRIES = 60
SWAP_TRY = "200ms"
SWAP_PAUSE = 0.5
# What the database may take to build an index, where it usually has 64 MB.
BUILD_MEMORY = "256MB"

# As the migrations leave `documents`.
_TABLE = """
    CREATE {kind} TABLE {staged} OF document (number WITH OPTIONS DEFAULT nextval('numbers'))
    WITH (toast_tuple_target = 512)
"""
_INDEXES = (
    "CREATE UNIQUE INDEX ON {staged} (id)",
    "CREATE UNIQUE INDEX ON {staged} (number)",
    "CREATE INDEX ON {staged} USING gin (terms) WITH (fastupdate = off)",
    "CREATE INDEX ON {staged} USING gin (sounds) WITH (fastupdate = off)",
    "CREATE INDEX ON {staged} USING gin (compared) WITH (fastupdate = off)",
    "ANALYZE {staged}",
)
_TERMS = (
    'CREATE TABLE {terms} (term text COLLATE "C", documents bigint NOT NULL)',
    """
    INSERT INTO {terms}
    SELECT term, count(*) FROM {staged}, unnest(tsvector_to_array(terms) || sounds) AS term GROUP BY term
    """,
    "ALTER TABLE {terms} ADD PRIMARY KEY (term)",
    "ANALYZE {terms}",
)
_SWAP = (
    "DROP TABLE documents",
    "ALTER TABLE {staged} RENAME TO documents",
    "DROP TABLE terms",
    "ALTER TABLE {terms} RENAME TO terms",
)


class Staged:
    """Documents in a table of their own, and how many were given in `count`.

    One that is to replace the catalogue's lasts beyond the transaction, if it does; others are temporary.
    """

    def __init__(
        self, connection: psycopg.Connection, documents: Iterable[Document], schema: Schema, *, lasting: bool
    ) -> None:
        self._connection = connection
        self._schema = schema
        unique = uuid.uuid4().hex
        self._name = sql.Identifier(f"documents_{unique}")
        self._terms = sql.Identifier(f"terms_{unique}")
        self.count = 0
        # The documents may come as slowly as they like.
        connection.execute("SET LOCAL statement_timeout = 0")
        self._run(_TABLE, kind=sql.SQL("" if lasting else "TEMPORARY"))
        self._run("ALTER TABLE {staged} ALTER COLUMN terms SET STORAGE MAIN")
        self._copy(documents)
        self._keep_last()

    def merge(self) -> None:
        """Add them to the documents there are, in place of those with the same ids."""
        if self.count >= MANY:
            self._run("CREATE INDEX ON {staged} (id)")
            self._run("ANALYZE {staged} (id)")
        _remove(self._connection, sql.SQL("SELECT id FROM {}").format(self._name))
        _tally(self._connection, self._all, 1)
        self._run("INSERT INTO documents SELECT * FROM {staged} ORDER BY number")
        self._run("DROP TABLE {staged}")

    def replace_all(self) -> None:
        """Have them be all the documents there are, under their schema."""
        self._run(f"SET LOCAL maintenance_work_mem = '{BUILD_MEMORY}'")
        self._run(f"SET LOCAL work_mem = '{BUILD_MEMORY}'")
        for statement in (*_INDEXES, *_TERMS):
            self._run(statement)
        self._run("UPDATE catalogue SET documents = 0")
        self._run("DELETE FROM lengths")
        _count(self._connection, self._all, 1)
        # Last, as nobody can search from here to the transaction's end.
        self._lock_out_readers()
        for statement in _SWAP:
            self._run(statement)

    def _lock_out_readers(self) -> None:
        """Wait for those who read, in short tries: who comes meanwhile waits behind this. Raises LockNotAvailable."""
        for attempts_left in reversed(range(SWAP_TRIES)):
            try:
                with self._connection.transaction():
                    self._run(f"SET LOCAL lock_timeout = '{SWAP_TRY}'")
                    self._run("LOCK TABLE documents, terms")
                return
            except psycopg.errors.LockNotAvailable:
                if not attempts_left:
                    raise
                time.sleep(SWAP_PAUSE)

    @property
    def _all(self) -> sql.Composed:
        return sql.SQL("SELECT * FROM {}").format(self._name)

    def _copy(self, documents: Iterable[Document]) -> None:
        columns = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
        into = sql.SQL("COPY {} ({}) FROM STDIN").format(self._name, columns)
        with self._connection.cursor() as cursor, cursor.copy(into) as copy:
            for document in self._latest(iter(documents)):
                copy.write_row(row(document, self._schema))

    def _latest(self, documents: Iterator[Document]) -> Iterator[Document]:
        while gathered := list(islice(documents, GATHERED)):
            self.count += len(gathered)
            yield from {document.id: document for document in gathered}.values()

    def _keep_last(self) -> None:
        self._run(
            """
            DELETE FROM {staged} USING (
                SELECT id AS twice, max(number) AS last FROM {staged} GROUP BY id HAVING count(*) > 1
            ) AS several WHERE id = twice AND number < last
            """
        )

    def _run(self, statement: LiteralString, **parts: sql.Composable) -> None:
        self._connection.execute(sql.SQL(statement).format(staged=self._name, terms=self._terms, **parts))


def take_turn(connection: psycopg.Connection, seconds: float) -> None:
    """Be the only writer until the transaction's end. Raises psycopg's LockNotAvailable after `seconds`."""
    limit = f"{max(1, round(seconds * 1000))}ms"
    connection.execute(
        "SELECT set_config('lock_timeout', %s, true), set_config('statement_timeout', '0', true)", (limit,)
    )
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('write ' || current_schema(), 0))")


def keep_schema(connection: psycopg.Connection, schema: Schema) -> None:
    """Have every process use this schema from now on."""
    record = json.dumps(schema.to_record(), ensure_ascii=False)
    connection.execute("UPDATE catalogue SET schema = %s, revision = revision + 1", (record,))


def remove(connection: psycopg.Connection, ids: Collection[str]) -> int:
    """Remove the documents with these ids, and tell how many there were."""
    return _remove(connection, sql.SQL("SELECT unnest({}::text[])").format(sql.Literal(list(ids))))


def _remove(connection: psycopg.Connection, ids: sql.Composed) -> int:
    _tally(connection, sql.SQL("SELECT * FROM documents WHERE id IN ({})").format(ids), -1)
    return connection.execute(sql.SQL("DELETE FROM documents WHERE id IN ({})").format(ids)).rowcount


def _tally(connection: psycopg.Connection, documents: sql.Composed, sign: int) -> None:
    """Count these documents in, or out, and their terms."""
    _count(connection, documents, sign)
    statement = """
        INSERT INTO terms
        SELECT term, {sign} * count(*)
        FROM ({documents}) AS these, unnest(tsvector_to_array(terms) || sounds) AS term
        GROUP BY term
        ON CONFLICT (term) DO UPDATE SET documents = terms.documents + excluded.documents
    """
    connection.execute(sql.SQL(statement).format(documents=documents, sign=sql.Literal(sign)))


def _count(connection: psycopg.Connection, documents: sql.Composed, sign: int) -> None:
    """Count these documents in, or out, and their lengths."""
    for statement in (
        sql.SQL(
            "UPDATE catalogue SET changes = changes + 1,"
            " documents = documents + {sign} * (SELECT count(*) FROM ({documents}) AS these)"
        ),
        sql.SQL(
            """
            INSERT INTO lengths
            SELECT position, {sign} * sum(length)
            FROM ({documents}) AS these, unnest(lengths) WITH ORDINALITY AS counted (length, position)
            GROUP BY position
            ON CONFLICT (position) DO UPDATE SET total = lengths.total + excluded.total
            """
        ),
    ):
        connection.execute(statement.format(documents=documents, sign=sql.Literal(sign)))
