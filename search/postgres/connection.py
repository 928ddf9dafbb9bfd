"""A connection to PostgreSQL that is not waited on for ever."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.rows import TupleRow

T = TypeVar("T")


class NoAnswer(psycopg.OperationalError):
    """Whoever waited for an answer has given up, and closed the connection."""


class Connection(psycopg.Connection[TupleRow]):
    """One on which whoever waits `patience` seconds for an answer gives up, unless `is_worthwhile` says otherwise.

    The database keeps its own time, statement_timeout, but not where it hangs: then nothing comes, and nothing ends.
    """

    patience: float
    is_worthwhile: Callable[[], bool]

    def wait(self, gen: PQGen[T], *args: Any, **kwargs: Any) -> T:
        """Raises `NoAnswer`."""
        return super().wait(self._patiently(gen), *args, **kwargs)

    def _patiently(self, gen: PQGen[T]) -> PQGen[T]:
        """The same steps; psycopg takes one every 0.1 s where nothing comes."""
        deadline = time.monotonic() + self.patience
        try:
            awaited = next(gen)
            while True:
                ready = yield awaited
                if not ready and time.monotonic() > deadline:
                    if not self.is_worthwhile():
                        self.close()  # so that nobody waits for the end of the transaction, too
                        raise NoAnswer(f"no answer in {self.patience:g} s")
                    deadline = time.monotonic() + self.patience
                awaited = gen.send(ready)
        except StopIteration as end:
            result: T = end.value
            return result
