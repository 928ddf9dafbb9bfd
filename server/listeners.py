"""The listeners that are there: how many there may be, and how all are told that the server is going down."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from server.errors import busy, shutting_down

MOST_FINALS = 4  # utterances of one listener that are recognised or waited for at once; with more, it is not read
RETRY_SECONDS = 5.0


class Stoppable(Protocol):
    """A listener's connection."""

    def stop(self) -> None:
        """Read no more, deliver what is due, and close."""


class Listeners:
    """At most `limit` at once."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._open: set[Stoppable] = set()
        self._is_stopped = False

    def __len__(self) -> int:
        return len(self._open)

    def check(self) -> None:
        """Raises ApiError (503) where there is no room for one more."""
        if self._is_stopped:
            raise shutting_down()
        if len(self) >= self.limit:
            raise busy("The server has all the listeners it can take. Try again in a moment.", RETRY_SECONDS)

    @contextmanager
    def listening(self, listener: Stoppable) -> Iterator[None]:
        """Count it while it is there."""
        self._open.add(listener)
        try:
            yield
        finally:
            self._open.discard(listener)

    def stop(self) -> None:
        """Let no more in, and have those who are there end in order."""
        self._is_stopped = True
        for listener in self._open:
            listener.stop()
