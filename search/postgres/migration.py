"""The steps by which a catalogue's tables in PostgreSQL came to be what they are: numbered files in `migrations`."""

from pathlib import Path

import psycopg
from psycopg import sql

from search.errors import IndexUnavailable
from search.postgres.address import Address
from search.postgres.pool import Connections

FOLDER = Path(__file__).with_name("migrations")


def migrate(url: str) -> tuple[int, int]:
    """Bring the catalogue at `postgresql://…` to this version's tables; gives the versions before and after.

    All or nothing; a new catalogue is at 0. Raises `IndexUnavailable`, also where its tables are newer.
    """
    if not url.startswith(("postgresql://", "postgres://")):
        raise IndexUnavailable("only catalogues in PostgreSQL are migrated; another is made anew: index its documents")
    address = Address.of(url)
    connections = Connections(address)
    try:
        with connections.one(patient=True) as connection:
            return apply(connection, address, _files())
    finally:
        connections.close()


def prepare(connection: psycopg.Connection, address: Address) -> None:
    """Make a new catalogue's tables. Raises `IndexUnavailable` where there are some of another version."""
    found, newest = _version(connection, address), len(_files())
    if found == 0:
        apply(connection, address, _files())
    elif found < newest:
        advice = "run: sayseek-server migrate --index URL (see that you have a backup)"
        raise IndexUnavailable(
            f"{address} has tables of version {found}, and this needs {newest}; {advice}",
            "the database's tables are of an earlier version",
        )
    else:
        _refuse_newer(found, address)


def apply(connection: psycopg.Connection, address: Address, files: list[Path]) -> tuple[int, int]:
    """Run the files that have not been run. Several who do so at once wait for each other."""
    with connection.transaction():
        connection.execute("SET LOCAL statement_timeout = 0")
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"migrate {address.namespace}",))
        found = _version(connection, address)
        _refuse_newer(found, address)
        if found == 0:
            _create(connection, address)
        for version, file in enumerate(files[found:], start=found + 1):
            connection.execute(file.read_bytes())
            connection.execute("INSERT INTO migrations (version, name) VALUES (%s, %s)", (version, file.stem))
    return found, len(files)


def _files() -> list[Path]:
    return sorted(FOLDER.glob("*.sql"))


def _version(connection: psycopg.Connection, address: Address) -> int:
    """How many migrations were run; 0 where there is no catalogue."""
    # Not to_regclass: it may answer as of before another made them.
    tables = "SELECT 1 FROM pg_tables WHERE schemaname = %s AND tablename = 'migrations'"
    if not connection.execute(tables, (address.namespace,)).fetchone():
        return 0
    row = connection.execute("SELECT coalesce(max(version), 0) FROM migrations").fetchone()
    return row[0] if row else 0


def _create(connection: psycopg.Connection, address: Address) -> None:
    """The catalogue's own schema, which the owner may have made already, and the list of what was run in it."""
    if not connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (address.namespace,)).fetchone():
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(address.namespace)))
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migrations"
        " (version integer PRIMARY KEY, name text NOT NULL, run_at timestamptz NOT NULL DEFAULT now())"
    )


def _refuse_newer(found: int, address: Address) -> None:
    if found > len(_files()):
        raise IndexUnavailable(
            f"{address} has tables of version {found}, which is newer than this program; update it",
            "the database's tables are of a later version",
        )
