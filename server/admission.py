"""Who is let in: a bounded number of clips in work or waiting, a brief wait for a place, then an honest 503."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from server.errors import busy

SMOOTHING = 0.1  # weight of the newest clip in the running mean of seconds per clip


class Admission:
    """Places for clips. `seconds_per_clip` is a running mean, from which Retry-After is told."""

    def __init__(self, max_places: int, max_wait: float) -> None:
        self.max_places = max_places
        self.max_wait = max_wait
        self.waiting = 0
        self.taken = 0
        self.seconds_per_clip = 0.5
        self._places = asyncio.Semaphore(max_places)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold a place. Raises ApiError (503) when none comes free within `max_wait` seconds."""
        await self._enter()
        started = time.monotonic()
        try:
            yield
            # Only from clips that were answered: a refused upload takes no time and says nothing of the next.
            self._learn(time.monotonic() - started, among=self.taken)
        finally:
            self._places.release()
            self.taken -= 1

    async def _enter(self) -> None:
        # As many may wait for a place as there are places; more would only wait in vain.
        if self._places.locked() and self.waiting >= self.max_places:
            raise self._full()
        self.waiting += 1
        try:
            async with asyncio.timeout(self.max_wait):
                await self._places.acquire()
        except TimeoutError:
            raise self._full() from None
        finally:
            self.waiting -= 1
        self.taken += 1

    def _learn(self, seconds: float, among: int) -> None:
        """A clip that took this long beside others: one alone would have taken its share."""
        self.seconds_per_clip += SMOOTHING * (seconds / among - self.seconds_per_clip)

    def _full(self) -> Exception:
        retry_after = min(60.0, self.seconds_per_clip * (self.taken + self.waiting) / 2)
        return busy("The server has all the work it can take. Try again in a moment.", retry_after)
