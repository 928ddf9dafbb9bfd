"""When a request that failed is worth another try, and after how long. It decides; the client waits."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from clients.errors import Busy, SayseekError, ServerUnreachable


@dataclass(frozen=True)
class RetryOptions:
    """How patient a client is.

    `retries` more tries follow the first, as long as the waits between them, `longest_wait` seconds in all, suffice.
    Where a server that is busy or not ready yet says when to come back, only the time counts. With `retries` 0 there
    are none in any case. Raises `ValueError` for negative values.
    """

    retries: int = 2
    longest_wait: float = 15.0

    def __post_init__(self) -> None:
        if self.retries < 0:
            raise ValueError(f"retries is {self.retries}: give 0 or more")
        if not self.longest_wait >= 0:
            raise ValueError(f"longest_wait is {self.longest_wait}: give seconds, 0 or more")


DEFAULT_RETRIES = RetryOptions()
NO_RETRIES = RetryOptions(retries=0)
RECONNECTIONS = RetryOptions(retries=8, longest_wait=60.0)  # who speaks would rather wait than begin again
FIRST_BACKOFF_SECONDS = 0.5


class Retries:
    """The tries of one request. `jitter` gives numbers from 0 to 1."""

    def __init__(self, options: RetryOptions, jitter: Callable[[], float] = random.random) -> None:
        self._is_off = options.retries == 0
        self._left = options.retries
        self._patience = options.longest_wait
        self._backoff = FIRST_BACKOFF_SECONDS
        self._jitter = jitter

    def wait_after(self, error: SayseekError) -> float:
        """Seconds to wait before the next try; raises `error` when there should be none."""
        if self._is_off or not isinstance(error, Busy | ServerUnreachable):
            raise error
        told = error.retry_after if isinstance(error, Busy) else None
        wait = self._next_backoff() if told is None else told
        if (self._left == 0 and not told) or wait > self._patience:
            raise error
        self._patience -= wait
        if not told:
            self._left -= 1
            self._backoff *= 2
        return wait

    def _next_backoff(self) -> float:
        # Clients that failed together should not all come back together.
        return self._backoff * (0.5 + self._jitter() / 2)
