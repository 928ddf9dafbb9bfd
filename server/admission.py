"""Who is let in: a bounded number of clips in work or waiting, a brief wait for a place, then an honest 503.

Retry-After tells how long half of the work ahead takes, for about half of the places are free then:

    seconds per window × windows ahead ÷ 2

The model works window by window, each up to 30 s of audio, so a window is the unit of work: a spoken query is one,
two minutes of speech are several. `Place.windows` is one until the clip has been decoded. Seconds per window is a
running mean over the clips that were answered, of the seconds that the model worked on them: one long clip counts
for no more than a short one.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from server.errors import busy

SMOOTHING = 0.1  # weight of the newest clip in the running mean of seconds per window
MAX_RETRY_AFTER = 60.0  # seconds


@dataclass(eq=False)
class Place:
    """The place of one clip, which is `windows` of work."""

    windows: int = 1


class Admission:
    """Places for clips: `max_places`, each waited for at most `max_wait` seconds."""

    def __init__(self, max_places: int, max_wait: float) -> None:
        self.max_places = max_places
        self.max_wait = max_wait
        self.waiting = 0
        self.seconds_per_window = 0.5
        self._places: set[Place] = set()
        self._free = asyncio.Semaphore(max_places)

    @property
    def taken(self) -> int:
        """Places that are taken."""
        return len(self._places)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[Place]:
        """Hold a place. Raises ApiError (503) when none comes free in time."""
        await self._enter()
        place = Place()
        self._places.add(place)
        try:
            yield place
        finally:
            self._places.remove(place)
            self._free.release()

    def learn(self, seconds: float, windows: int) -> None:
        """The model worked this long on a clip of so many windows."""
        self.seconds_per_window += SMOOTHING * (seconds / windows - self.seconds_per_window)

    async def _enter(self) -> None:
        # As many may wait for a place as there are places; more would only wait in vain.
        if self._free.locked() and self.waiting >= self.max_places:
            raise self._full()
        self.waiting += 1
        try:
            async with asyncio.timeout(self.max_wait):
                await self._free.acquire()
                return
        except TimeoutError:
            pass
        finally:
            self.waiting -= 1
        raise self._full()

    def _full(self) -> Exception:
        ahead = sum(place.windows for place in self._places) + self.waiting
        retry_after = min(MAX_RETRY_AFTER, self.seconds_per_window * ahead / 2)
        return busy("The server has all the work it can take. Try again in a moment.", retry_after)
