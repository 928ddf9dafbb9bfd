"""Connections to PostgreSQL: a bounded pool, and what goes wrong with them as this package's errors."""

import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus

from search.errors import IndexAway, IndexBusy, IndexUnavailable
from search.postgres.address import Address
from search.postgres.connection import Connection, NoAnswer

MAX_CONNECTIONS = 10
# Seconds to wait for a free connection, a new one, an answer, and for whoever holds a lock.
CONNECTION_WAIT = 5.0
CONNECT_SECONDS = 3
STATEMENT_SECONDS = 10.0
LOCK_SECONDS = 10.0
# What an answer may take longer than the database lets it: with more, the database hangs.
GRACE_SECONDS = 2.0

MIN_SERVER = 130000  # PostgreSQL 13

# A host that vanished without a word is given up after some ten seconds, on both sides.
_PARAMETERS = {
    "application_name": "sayseek",
    "connect_timeout": str(CONNECT_SECONDS),
    "client_encoding": "UTF8",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
# Classes of error codes, where there is any: of connections, and of a database that comes or goes.
_LOST = ("08", "57P")
_SETTINGS = """
    SELECT set_config('search_path', quote_ident(%(namespace)s), false),
           set_config('statement_timeout', %(statement)s, false),
           set_config('lock_timeout', %(lock)s, false),
           set_config('tcp_keepalives_idle', '30', false),
           -- Compiling a plan takes longer than any of these run.
           set_config('jit', 'off', false),
           -- Others search at the same time, on the other cores.
           set_config('max_parallel_workers_per_gather', '0', false),
           -- What is searched is in memory, or on a disk without arms.
           set_config('random_page_cost', '1.1', false),
           -- What was acknowledged is on disk, whatever else the database is for.
           set_config('synchronous_commit', replace(current_setting('synchronous_commit'), 'off', 'on'), false)
"""


class Connections:
    """At most `MAX_CONNECTIONS` to one database, made when they are needed and kept.

    A database that was started again is found by the next who asks. Unlike psycopg_pool's, whoever asks while there is
    none learns at once, and why.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._free = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._lock = threading.Lock()
        self._idle: list[Connection] = []
        self._closed = False

    @contextmanager
    def one(self, *, patient: bool = False) -> Iterator[Connection]:
        """A connection in autocommit mode. Whatever psycopg raises is raised as `IndexBusy` or `IndexUnavailable`.

        Who is `patient` waits for an answer for as long as the database answers others: those who write many documents
        have to.
        """
        with self._place(), self._translating():
            connection = self._live() or self._connected()
            try:
                connection.is_worthwhile = self._is_answering if patient else _never
                yield connection
            finally:
                self._give_back(connection)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self._closed:
            raise IndexUnavailable("the index is closed; open it again")
        if not self._free.acquire(timeout=CONNECTION_WAIT):
            message = f"all {MAX_CONNECTIONS} connections to {self._address} are in use; try again"
            raise IndexUnavailable(message, "all connections to the database are in use")
        try:
            yield
        finally:
            self._free.release()

    def _live(self) -> Connection | None:
        """The connection used last, if the database has not ended it meanwhile."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if not _has_news(connection):
                return connection
            connection.close()

    def _connected(self) -> Connection:
        connection = Connection.connect(make_conninfo("", **(_PARAMETERS | self._address.parameters)), autocommit=True)
        connection.patience = STATEMENT_SECONDS + GRACE_SECONDS
        connection.is_worthwhile = _never
        try:
            self._check(connection)
            timeouts = {"statement": f"{STATEMENT_SECONDS}s", "lock": f"{LOCK_SECONDS}s"}
            connection.execute(_SETTINGS, timeouts | {"namespace": self._address.namespace})
        except BaseException:
            connection.close()
            raise
        return connection

    def _is_answering(self) -> bool:
        """Whether it has any answer for who comes anew, be that a refusal: one that hangs has none."""
        try:
            self._connected().close()
        except (psycopg.errors.ConnectionTimeout, NoAnswer):
            return False
        except psycopg.Error:
            return True
        return True

    def _check(self, connection: Connection) -> None:
        info = connection.info
        if info.server_version < MIN_SERVER:
            raise IndexUnavailable(f"{self._address} is PostgreSQL {info.server_version // 10000}; use 13 or later")
        if info.parameter_status("server_encoding") != "UTF8":
            raise IndexUnavailable(f"{self._address} is not in UTF-8; make one with: createdb --encoding=UTF8")

    def _give_back(self, connection: Connection) -> None:
        with self._lock:
            if not self._closed and connection.info.transaction_status == TransactionStatus.IDLE:
                self._idle.append(connection)
                return
        connection.close()

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
            raise IndexBusy(f"another writer has {self._address}; try again when it is done") from error
        except psycopg.errors.QueryCanceled as error:
            message = f"{self._address} took longer than {STATEMENT_SECONDS:g} s to answer ({_said(error)})"
            raise IndexUnavailable(message, "the database takes too long to answer") from error
        except psycopg.errors.InsufficientPrivilege as error:
            user = self._address.parameters.get("user", "USER")
            advice = f'let its owner run: GRANT CREATE ON DATABASE … TO "{user}"'
            message = f"{self._address} cannot be used ({_said(error)}); {advice}"
            raise IndexUnavailable(message, "the database does not let the index be used") from error
        except psycopg.Error as error:
            if error.sqlstate is None or error.sqlstate.startswith(_LOST):
                advice = "is it running, and are host, user and password right?"
                message = f"{self._address} cannot be reached ({_said(error)}); {advice}"
                raise IndexAway(message, "the database cannot be reached") from error
            raise IndexUnavailable(f"{self._address} cannot be used ({_said(error)})", "the database failed") from error


def _never() -> bool:
    return False


def _has_news(connection: psycopg.Connection) -> bool:
    """Whether the database has sent something unasked: when it ends, or ends a connection, it does."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _said(error: psycopg.Error) -> str:
    """What the database said, without the part of the statement that it quotes: words of a query stand there."""
    return " ".join((error.diag.message_primary or str(error)).split())
