"""Who is let in: a bounded number of clips, none of which has to wait long for those before it, or an honest 503.

What a newcomer would have to wait is told from the work ahead:

    seconds per window × windows ahead

The model works on windows of up to 30 s of audio, so a window is the unit of work: a spoken query is one, two minutes
of speech are several. `Place.windows` is one until the clip has been decoded. Seconds per window is a running mean of
the time in which the engine was busy, over the windows that came of it, however many it worked on at once. Retry-After
is half of that wait, for about half of the places are free then.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from server.errors import busy

SMOOTHING = 0.1  # weight of the newest window in the running mean of seconds per window
MAX_RETRY_AFTER = 60.0  # seconds


@dataclass(eq=False)
class Place:
    """The place of one clip, which is `windows` of work."""

    windows: int = 1


class Admission:
    """Places for clips: at most `max_places`, and none that would wait longer than `max_delay` seconds for its turn.

    Who does not fit in waits for at most `max_wait` seconds, in the order of coming.
    """

    def __init__(self, max_places: int, max_wait: float, max_delay: float) -> None:
        self.max_places = max_places
        self.max_wait = max_wait
        self.max_delay = max_delay
        self.seconds_per_window = 0.2
        self._places: set[Place] = set()
        self._waiting: deque[asyncio.Future[Place]] = deque()
        self._busy_seconds = 0.0
        self._windows = 0

    @property
    def taken(self) -> int:
        """Places that are taken."""
        return len(self._places)

    @property
    def waiting(self) -> int:
        """Clips that wait for a place."""
        return len(self._waiting)

    @property
    def delay(self) -> float:
        """Seconds that a newcomer would wait for those who have a place."""
        return self.seconds_per_window * sum(place.windows for place in self._places)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[Place]:
        """Hold a place. Raises ApiError (503) when there is none in time."""
        place = await self._enter()
        try:
            yield place
        finally:
            self._places.remove(place)
            self._let_in()

    def learn(self, busy_seconds: float, windows: int) -> None:
        """The engine has been busy for so long in all, and so many windows have come of it."""
        new = windows - self._windows
        if new > 0:
            weight = 1 - (1 - SMOOTHING) ** new
            seconds = (busy_seconds - self._busy_seconds) / new
            self.seconds_per_window += weight * (seconds - self.seconds_per_window)
            self._busy_seconds, self._windows = busy_seconds, windows
            self._let_in()

    async def _enter(self) -> Place:
        # As many may wait for a place as there are places; more would only wait in vain.
        if len(self._waiting) >= self.max_places:
            raise self._full()
        turn: asyncio.Future[Place] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._let_in()
        try:
            async with asyncio.timeout(self.max_wait):
                return await turn
        except (TimeoutError, asyncio.CancelledError) as error:
            self._give_up(turn)
            if isinstance(error, TimeoutError):
                raise self._full() from None
            raise

    def _let_in(self) -> None:
        """Give places to those who wait, the first first, as far as there is room."""
        while self._waiting and len(self._places) < self.max_places and self.delay <= self.max_delay:
            turn = self._waiting.popleft()
            if not turn.done():
                place = Place()
                self._places.add(place)
                turn.set_result(place)

    def _give_up(self, turn: "asyncio.Future[Place]") -> None:
        """Who leaves does not wait any more, and gives back the place that came too late to be taken."""
        if turn in self._waiting:
            self._waiting.remove(turn)
        if turn.done() and not turn.cancelled():
            self._places.remove(turn.result())
            self._let_in()

    def _full(self) -> Exception:
        retry_after = min(MAX_RETRY_AFTER, (self.delay + self.seconds_per_window * len(self._waiting)) / 2)
        return busy("The server has all the work it can take. Try again in a moment.", retry_after)
