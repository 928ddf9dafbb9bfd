"""What the index in PostgreSQL promises beyond the protocol: processes share it, and its database comes and goes."""

import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from search.catalogue.document import Document
from search.catalogue.schema import Field, Schema
from search.errors import IndexBusy, IndexUnavailable
from search.opening import open_index
from search.postgres import migration
from search.postgres import pool as postgres_connections
from search.postgres import query as postgres_query
from search.postgres.address import Address
from search.postgres.index import PostgresIndex, SchemaRevision
from search.postgres.pool import CONNECT_SECONDS, MAX_CONNECTIONS, Connections
from search.postgres.scoring import Statistics
from search.postgres.writer import MANY, SWAP_PAUSE, SWAP_TRY, take_turn
from search.result import SearchOptions
from search.tantivy.index import TantivyIndex
from server.command.cli import app
from tests.postgres_server import GUARDED, PostgresServer
from tests.search.killed_writer import KilledWriter, everything, writing_process

THING = Document(id="thing", title="Thing")


@contextmanager
def other_writer(catalogue: str) -> Iterator[psycopg.Connection]:
    """Somebody whose turn it is, for as long as this lasts."""
    with Connections(Address.of(catalogue)).one() as connection, connection.transaction():
        take_turn(connection, 1)
        yield connection


def waiting(connection: psycopg.Connection) -> int:
    """How many connections wait for a lock that somebody else has."""
    row = connection.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()
    return row[0] if row else 0


class TestKilled:
    def test_again_and_again(self, catalogue: str) -> None:
        """What was acknowledged is there, and of what was not all or nothing."""
        with writing_process(catalogue, 1) as process, open_index(catalogue) as reader:
            writer = KilledWriter(process, 1)
            for _ in range(15):
                writer.work_and_die()

                reader.delete([])  # Waits for a transaction that the killed one may just have ended.
                found = everything(reader)
                assert found in writer.states
                writer.go_on_from(found)

    @pytest.mark.parametrize("call", ["upsert", "replace"])
    def test_unfinished_call_leaves_nothing(self, catalogue: str, call: str) -> None:
        with open_index(catalogue) as index, writing_process(catalogue, 0, call) as process:
            index.upsert([THING])
            assert process.stdout
            for _ in range(2000):
                process.stdout.readline()
            # Others do not wait for it, nor see any of it.
            assert index.upsert([Document(id="other", title="Thing")]) == 1
            process.kill()
            process.wait()

            assert index.delete(["other"]) == 1
            assert everything(index) == {"thing": ""}

    def test_crash_of_the_database(self, postgres: PostgresServer, catalogue: str) -> None:
        """By this server's own settings a commit is acknowledged before it is written."""
        with open_index(catalogue) as index:
            for number in range(20):
                index.upsert([Document(id=str(number), title="Thing")])
            postgres.stop("immediate")
            postgres.start()

            assert index.count() == 20


class TestSharing:
    def test_busy_when_another_writer_stays(self, catalogue: str) -> None:
        with PostgresIndex(catalogue, writer_wait=0.05) as index, other_writer(catalogue):
            writes: list[Callable[[], int]] = [
                lambda: index.upsert([THING]),
                lambda: index.delete(["thing"]),
                lambda: index.replace([THING]),
            ]
            for write in writes:
                with pytest.raises(IndexBusy, match="try again"):
                    write()
            assert index.count() == 0

    def test_waits_for_another_writer(self, catalogue: str) -> None:
        with PostgresIndex(catalogue, writer_wait=30) as index, ThreadPoolExecutor(1) as pool:
            with other_writer(catalogue) as connection:
                writing = pool.submit(index.upsert, [THING])
                while not waiting(connection):
                    assert not writing.done()

            assert writing.result() == 1

    def test_writer_that_waits_holds_nobody_up(self, catalogue: str) -> None:
        with PostgresIndex(catalogue, writer_wait=30) as index, ThreadPoolExecutor(2) as pool:
            index.upsert([THING])
            with other_writer(catalogue) as connection:
                writing = [pool.submit(index.upsert, [THING]), pool.submit(index.replace, [THING])]
                while waiting(connection) < 2:
                    assert not any(each.done() for each in writing)

                assert [result.id for result in index.search("thing").results] == ["thing"]
                with open_index(catalogue) as other:
                    assert other.count() == 1

    def test_long_read_does_not_stop_searches_while_all_is_replaced(self, catalogue: str) -> None:
        """Such as that of pg_dump: whoever wants the table alone has all others wait behind.

        A search may have to wait for one of the writer's short tries to lock the table, and is let through before the
        next one. So its time stays under a try and the pause after it; a search that is passed over waits for a second
        try, too, and one that is never let through ends in an error.
        """
        with PostgresIndex(catalogue) as index, ThreadPoolExecutor(1) as pool:
            index.upsert([THING])
            with Connections(Address.of(catalogue)).one() as connection, connection.transaction():
                connection.execute("SELECT count(*) FROM documents")
                replacing = pool.submit(index.replace, [THING, Document(id="other", title="Thing")])
                while not waiting(connection):
                    assert not replacing.done()
                for _ in range(20):
                    started = time.monotonic()
                    assert index.search("thing").total == 1
                    assert time.monotonic() - started < float(SWAP_TRY.removesuffix("ms")) / 1000 + SWAP_PAUSE

            assert replacing.result() == 2
            assert index.count() == 2

    def test_search_that_meets_another_schema_half_way(self, catalogue: str) -> None:
        """Scores were null then, which no search can order."""
        both, one = ({name: Field(boost=1.0) for name in names} for names in (("a", "b"), ("b",)))

        class Late(PostgresIndex):
            hindrances: Iterator[Callable[[], object]] = iter(())

            def _statistics(self, *args: Any) -> tuple[SchemaRevision, Statistics]:
                found = super()._statistics(*args)
                next(self.hindrances, lambda: None)()
                return found

        documents = [Document(id="1", title="Thing", fields={"a": "red", "b": "blue"})]
        with Late(catalogue, Schema(both)) as late, open_index(catalogue) as other:
            late.upsert(documents)
            late.hindrances = iter([lambda: other.replace(documents, Schema(one))])

            assert [result.score > 0 for result in late.search("blue").results] == [True]
            assert late.search("red").results == []

    def test_catalogues_in_one_database_are_apart(self, catalogue: str) -> None:
        with open_index(catalogue) as index, open_index(f"{catalogue}_more") as other:
            index.upsert([THING])

            assert (index.count(), other.count()) == (1, 0)
            assert other.search("thing").results == []

    def test_more_threads_than_connections(self, catalogue: str, postgres: PostgresServer) -> None:
        with open_index(catalogue) as index, ThreadPoolExecutor(4 * MAX_CONNECTIONS) as pool:
            index.upsert([THING])
            together = threading.Barrier(4 * MAX_CONNECTIONS)

            def search(_: int) -> int:
                together.wait()
                return index.search("thing").total

            assert list(pool.map(search, range(4 * MAX_CONNECTIONS))) == [1] * (4 * MAX_CONNECTIONS)
            clients = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sayseek'"
            assert int(postgres.run_sql(clients)) <= MAX_CONNECTIONS


class TestOutage:
    def test_says_so_and_recovers(self, postgres: PostgresServer, catalogue: str) -> None:
        """No call waits for a database that is not there; one that did would wait for `CONNECT_SECONDS`."""
        with open_index(catalogue) as index:
            index.upsert([THING])
            uses: list[Callable[[], object]] = [
                index.count,
                lambda: index.search("thing"),
                lambda: index.sounding_like(["^Tin"], 5),
                lambda: index.get("thing"),
                lambda: index.upsert([THING]),
                lambda: index.delete(["thing"]),
                lambda: index.replace([THING]),
            ]
            with postgres.stopped():
                started = time.monotonic()
                for use in uses:
                    with pytest.raises(IndexUnavailable, match="cannot be reached") as raised:
                        use()
                    assert str(postgres.folder) in str(raised.value)
                    assert raised.value.reason == "the database cannot be reached"
                assert time.monotonic() - started < CONNECT_SECONDS

            assert index.search("thing").total == 1
            assert index.upsert([THING]) == 1

    def test_nobody_notices_a_restart_between_two_calls(self, postgres: PostgresServer, catalogue: str) -> None:
        with open_index(catalogue) as index:
            index.upsert([THING])
            with postgres.stopped():
                pass

            assert index.search("thing").total == 1

    def test_lost_in_the_middle_of_a_write(self, postgres: PostgresServer, catalogue: str) -> None:
        def interrupted() -> Iterator[Document]:
            yield Document(id="new", title="Thing")
            with postgres.stopped():
                pass
            yield from (Document(id=str(number), title="Thing") for number in range(5000))

        with open_index(catalogue) as index:
            index.upsert([THING])
            with pytest.raises(IndexUnavailable):
                index.upsert(interrupted())

            assert everything(index) == {"thing": ""}

    def test_table_that_stays_locked(self, catalogue: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(postgres_connections, "STATEMENT_SECONDS", 0.2)
        with open_index(catalogue) as index, Connections(Address.of(catalogue)).one() as connection:
            index.upsert([THING])
            with connection.transaction():
                connection.execute("LOCK TABLE documents")
                with pytest.raises(IndexUnavailable, match="took longer") as raised:
                    index.search("thing")

            assert raised.value.reason == "the database takes too long to answer"
            assert index.search("thing").total == 1

    def test_no_part_of_a_statement_is_told(self, postgres: PostgresServer, catalogue: str) -> None:
        """The log has these messages, and nothing that was said is kept; PostgreSQL quotes some of the statement."""
        with open_index(catalogue) as index:
            index.upsert([Document(id="1", title="Zanzibar")])
            postgres.run_sql(f"DROP TABLE {Address.of(catalogue).namespace}.documents")
            with pytest.raises(IndexUnavailable, match='"documents" does not exist') as raised:
                index.search("Zanzibar")

        assert "FROM" not in str(raised.value)

    def test_database_that_hangs(
        self, postgres: PostgresServer, catalogue: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It keeps no time-out of its own then: a search once waited for it without end."""
        monkeypatch.setattr(postgres_connections, "GRACE_SECONDS", 0.1)
        monkeypatch.setattr(postgres_connections, "STATEMENT_SECONDS", 0.2)
        with open_index(catalogue) as index:
            index.upsert([THING])
            process = int(postgres.run_sql("SELECT max(pid) FROM pg_stat_activity WHERE application_name = 'sayseek'"))
            os.kill(process, signal.SIGSTOP)
            try:
                with pytest.raises(IndexUnavailable, match="no answer in"):
                    index.search("thing")
            finally:
                os.kill(process, signal.SIGCONT)

            assert index.search("thing").total == 1

    @pytest.mark.parametrize("call", ["upsert", "replace", "delete"])
    def test_write_to_a_database_that_hangs(
        self, postgres: PostgresServer, catalogue: str, call: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who wrote waited for it without end, as did all that were to write after that.

        Its limits say how long it waits: for an answer, and then for a connection, to see whether the database answers
        others. With both waited for once more it would take at least twice as long.
        """
        grace, statement, connect = 0.1, 0.2, 2
        monkeypatch.setattr(postgres_connections, "GRACE_SECONDS", grace)
        monkeypatch.setattr(postgres_connections, "STATEMENT_SECONDS", statement)
        with open_index(f"{catalogue}&connect_timeout={connect}") as index, ExitStack() as hanging:
            started = math.inf

            def given() -> Iterator[Any]:
                nonlocal started
                yield "thing" if call == "delete" else Document(id="new", title="Thing")
                hanging.enter_context(postgres.hanging())
                started = time.monotonic()
                if call != "delete":
                    yield from (Document(id=str(number), title="Thing") for number in range(5000))

            index.upsert([THING])
            with pytest.raises(IndexUnavailable, match="no answer in") as raised:
                getattr(index, call)(given())
            took = time.monotonic() - started
            hanging.close()

            assert raised.value.reason == "the database cannot be reached"
            assert statement + grace < took < 2 * (statement + grace + connect)
            assert everything(index) == {"thing": ""}
            assert index.upsert([THING]) == 1

    def test_write_that_takes_long(self, catalogue: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """The database answers others meanwhile."""
        monkeypatch.setattr(postgres_connections, "GRACE_SECONDS", 0.1)
        monkeypatch.setattr(postgres_connections, "STATEMENT_SECONDS", 0.2)
        open_index(catalogue).close()
        connections = Connections(Address.of(catalogue))
        with connections.one(patient=True) as connection, connection.transaction():
            connection.execute("SET LOCAL statement_timeout = 0")
            assert connection.execute("SELECT pg_sleep(1.5), 7").fetchone() == ("", 7)
        connections.close()


class TestAddress:
    def test_wrong_password(self, postgres: PostgresServer) -> None:
        with pytest.raises(IndexUnavailable, match="password authentication failed") as raised:
            open_index(postgres.url("test", GUARDED, "s3cret"))

        assert "s3cret" not in str(raised.value)
        assert "sayseek" in str(raised.value)

    def test_no_right_to_make_one(self, postgres: PostgresServer) -> None:
        with pytest.raises(IndexUnavailable, match=f'GRANT CREATE .* TO "{GUARDED}"'):
            open_index(postgres.url("test_guarded", GUARDED, "right"))

    def test_password_from_where_libpq_looks(
        self, postgres: PostgresServer, catalogue: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PGPASSWORD", "right")
        postgres.run_sql(f"GRANT CREATE ON DATABASE sayseek TO {GUARDED}")
        try:
            with open_index(catalogue.replace("postgres@", f"{GUARDED}@")) as index:
                assert index.upsert([THING]) == 1
        finally:
            postgres.run_sql(f"REVOKE CREATE ON DATABASE sayseek FROM {GUARDED}")

    def test_unknown_database(self, postgres: PostgresServer) -> None:
        with pytest.raises(IndexUnavailable, match='database "nowhere" does not exist'):
            open_index(postgres.url("test", database="nowhere"))

    def test_nobody_there(self, tmp_path: Path) -> None:
        with pytest.raises(IndexUnavailable, match="cannot be reached"):
            open_index(f"postgresql:///x?host={tmp_path}")

    @pytest.mark.parametrize("name", ["", "Places", "a-b", "1st", "a" * 41, 'x"; DROP'])
    def test_catalogue_of_another_name(self, name: str) -> None:
        with pytest.raises(IndexUnavailable, match="no name for a catalogue"):
            open_index(f"postgresql://u:s3cret@localhost/x?catalogue={name}")

    @pytest.mark.parametrize("password", ["s3cret@cret", "s3/cret", "s3%zzcret", "s3?cret"])
    def test_password_without_escapes_is_not_told(self, password: str) -> None:
        """Once what stood behind its "@" or "/" was taken for the host or the database, and named in the message."""
        with pytest.raises(IndexUnavailable, match="special characters written as %40") as raised:
            open_index(f"postgresql://u:{password}@127.0.0.1:1/x")

        assert "cret" not in str(raised.value)

    @pytest.mark.parametrize("url", ["postgresql://u:s3cret@[/x", "postgresql://u:s3cret@h/x?unknown=1"])
    def test_that_cannot_be_read(self, url: str) -> None:
        with pytest.raises(IndexUnavailable, match="address cannot be read") as raised:
            open_index(url)

        assert "s3cret" not in str(raised.value)

    def test_parameters_are_libpqs(self) -> None:
        address = Address.of("postgres://me@db.example:5433/shop?sslmode=require&catalogue=toys")

        assert address.parameters["sslmode"] == "require"
        assert str(address) == 'catalogue "toys" in the database "shop" on db.example:5433'


class TestMigration:
    @pytest.fixture
    def newer(self, tmp_path: Path) -> Path:
        """The migrations of a later version."""
        for file in migration.FOLDER.glob("*.sql"):
            (tmp_path / file.name).write_bytes(file.read_bytes())
        (tmp_path / "9999_colour.sql").write_text("ALTER TYPE document ADD ATTRIBUTE colour text CASCADE;")
        return tmp_path

    def test_older_tables_are_left_until_they_are_migrated(
        self, catalogue: str, newer: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        open_index(catalogue).close()
        monkeypatch.setattr(migration, "FOLDER", newer)

        with pytest.raises(IndexUnavailable, match="run: sayseek-server migrate"):
            open_index(catalogue)
        done = CliRunner().invoke(app, ["migrate", "--index", catalogue])
        assert "went from version 1 to 2" in done.output
        assert "had version 2 already" in CliRunner().invoke(app, ["migrate", "--index", catalogue]).output
        open_index(catalogue).close()

    def test_newer_tables_are_refused(self, catalogue: str, newer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as later:
            later.setattr(migration, "FOLDER", newer)
            open_index(catalogue).close()

        for use in (open_index, migration.migrate):
            with pytest.raises(IndexUnavailable, match="newer than this program; update it"):
                use(catalogue)

    def test_failed_one_changes_nothing(self, catalogue: str, newer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        open_index(catalogue).close()
        with (newer / "9999_colour.sql").open("a") as file:
            file.write("SELECT 1 / 0;")
        with monkeypatch.context() as later:
            later.setattr(migration, "FOLDER", newer)
            with pytest.raises(IndexUnavailable, match="division by zero"):
                migration.migrate(catalogue)

        with open_index(catalogue) as index:
            assert index.upsert([THING]) == 1

    def test_only_of_postgresql(self, tmp_path: Path) -> None:
        done = CliRunner().invoke(app, ["migrate", "--index", f"tantivy:{tmp_path}"])

        assert done.exit_code == 1

    def test_replaced_tables_are_as_the_migrations_make_them(self, catalogue: str, postgres: PostgresServer) -> None:
        namespace = Address.of(catalogue).namespace
        tables = f"""
            SELECT relname, reloptions, attname, attstorage, atttypid, attcollation FROM pg_attribute
            JOIN pg_class ON pg_class.oid = attrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
            WHERE nspname = '{namespace}' AND relname IN ('documents', 'terms') AND attnum > 0 ORDER BY relname, attnum
        """
        indexes = f"""
            SELECT regexp_replace(indexdef, 'INDEX .* ON', '') FROM pg_indexes
            WHERE schemaname = '{namespace}' ORDER BY 1
        """
        with open_index(catalogue) as index:
            before = postgres.run_sql(tables), postgres.run_sql(indexes)
            index.replace([THING])

            assert (postgres.run_sql(tables), postgres.run_sql(indexes)) == before


class TestRanking:
    @pytest.mark.parametrize(
        "query", ["red hat", "the hat 7", "what is the colour of hat 7", "green hat", "thing 3 blue", "no thing"]
    )
    def test_seldom_lexemes_first_finds_the_same(
        self, query: str, catalogue: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Documents that only have common lexemes are not scored where they cannot be among the best."""
        monkeypatch.setattr(postgres_query, "FIRST", 40)
        monkeypatch.setattr(postgres_query, "MOST", 200)
        documents = [
            Document(
                id=str(number),
                title=f"{('Red', 'Green', 'The')[number % 3]} {'hat' if number % 5 else 'thing'} {number % 11}",
                body="of a colour " * (number % 4) + "hat",
                aliases=("What is it", "Blue") if number % 50 == 0 else (),
                popularity=number,
            )
            for number in range(400)
        ]
        with open_index(catalogue) as index, TantivyIndex(tmp_path) as other:
            for each in (index, other):
                each.upsert(documents)

            found, same = index.search(query), other.search(query)
            assert found.total == same.total
            assert [result.score for result in found.results] == pytest.approx(
                [result.score for result in same.results], rel=1e-5
            )

    def test_of_many_that_match_alike_the_most_popular(self, catalogue: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(postgres_query, "FIRST", 10)
        monkeypatch.setattr(postgres_query, "MOST", 20)
        with open_index(catalogue) as index:
            index.upsert(Document(id=f"{i:03}", title="Thing", popularity=i * 1000) for i in range(200))

            found = index.search("thing")
            assert found.total == 200
            assert [result.id for result in found.results[:3]] == ["199", "198", "197"]

    @pytest.mark.parametrize("count", [MANY - 1, MANY + 1])
    def test_first_documents_however_many(self, catalogue: str, count: int) -> None:
        """Many are put in by another way."""
        with open_index(catalogue) as index:
            assert index.upsert(Document(id=str(i % count), title=f"Thing {i}") for i in range(count + 5)) == count + 5

            assert index.count() == index.search("thing").total == count
            assert index.search(f"{count + 4}").results[0].id == "4"

    def test_text_of_more_words_than_a_tsvector_takes(self, catalogue: str) -> None:
        with open_index(catalogue) as index:
            index.upsert([Document(id="1", title="Long", body=" ".join(f"word{i:06}" for i in range(80_000)))])

            assert index.search("word000007 long").total == 1
            assert index.get("1")

    def test_characters_that_postgresql_has_not(self, catalogue: str) -> None:
        document = Document.from_record({"id": "1", "title": "a\0b", "body": "c\0", "code": "x\0y"})
        schema = Schema.from_record({"fields": {"code": {"filter": "value"}}, "boosts": {}, "synonyms": []})
        with open_index(catalogue, schema) as index:
            index.upsert([document])

            assert index.get("1") == document
            assert index.get("\0") is None
            assert index.search("b", SearchOptions(facets=("code",))).facets == {"code": {"xy": 1}}
