"""A connection to PostgreSQL that is not waited on for ever."""

import time
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.rows import TupleRow

T = TypeVar("T")


class Connection(psycopg.Connection[TupleRow]):
    """One on which whoever waits for an answer gives up after `patience` seconds; None is endless.

    The database keeps its own time, statement_timeout, but not where it hangs: then nothing comes, and nothing ends.
    """

    patience: float | None = None

    def wait(self, gen: PQGen[T], *args: Any, **kwargs: Any) -> T:
        """Raises `psycopg.OperationalError`; the connection can only be closed then."""
        return super().wait(gen if self.patience is None else _within(self.patience, gen), *args, **kwargs)


def _within(seconds: float, gen: PQGen[T]) -> PQGen[T]:
    """The same steps; psycopg takes one every 0.1 s where nothing comes."""
    deadline = time.monotonic() + seconds
    try:
        awaited = next(gen)
        while True:
            ready = yield awaited
            if not ready and time.monotonic() > deadline:
                raise psycopg.OperationalError(f"no answer in {seconds:g} s")
            awaited = gen.send(ready)
    except StopIteration as end:
        result: T = end.value
        return result
