"""Who is let in: a bounded number of clips, none of which has to wait long for those before it, or an honest 503.

What a newcomer would have to wait is told from the work ahead:

    seconds per window × clips ahead

The engine lets clips take turns, a window of up to 30 s each: a newcomer waits for about one window of every clip that
is there, however long the clip is. Seconds per window is a running mean of the time in which the engine was busy, over
the windows that it worked on, however many at once. Retry-After is half of that wait, for about half of the places are
free then.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from server.errors import ApiError, busy

SMOOTHING = 0.1  # weight of the newest window in the running mean of seconds per window
MAX_RETRY_AFTER = 60.0  # seconds


class Admission:
    """Places for clips: at most `max_places`, and none that would wait longer than `max_delay` seconds for its turn.

    Who does not fit in waits for at most `max_wait` seconds, in the order of coming, or is refused at once where that
    would be in vain.
    """

    def __init__(self, max_places: int, max_wait: float, max_delay: float) -> None:
        self.max_places = max_places
        self.max_wait = max_wait
        self.max_delay = max_delay
        self.seconds_per_window = 0.2
        self.taken = 0  # places
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._busy_seconds = 0.0
        self._windows = 0

    @property
    def waiting(self) -> int:
        """Clips that wait for a place."""
        return len(self._waiting)

    @property
    def delay(self) -> float:
        """Seconds that a newcomer would wait for those who have a place."""
        return self.seconds_per_window * self.taken

    @property
    def would_time_out(self) -> bool:
        """Whether a newcomer would wait for a place in vain: those who wait already come first."""
        places_ahead = self.taken + self.waiting - self.max_places + 1
        too_late = max(self.seconds_per_window * (self.taken + self.waiting) - self.max_delay, 0)
        wait = max(self.seconds_per_window * places_ahead, too_late)
        return self.waiting >= self.max_places or wait > self.max_wait

    @property
    def is_full(self) -> bool:
        """Whether a newcomer would not get a place at once."""
        return bool(self._waiting) or self.taken >= self.max_places or self.delay > self.max_delay

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold a place. Raises ApiError (503) when there is none in time."""
        await self._enter()
        try:
            yield
        finally:
            self.taken -= 1
            self._let_in()

    @contextmanager
    def claim(self) -> Iterator[None]:
        """Hold a place at once, for work that was let in before: what a listener said has to be answered."""
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1
            self._let_in()

    def learn(self, busy_seconds: float, windows: int) -> None:
        """The engine has been busy for so long in all, and so many windows have come of it."""
        new = windows - self._windows
        if new > 0:
            # The first windows count alike: what stood there before them is a guess.
            weight = max(1 - (1 - SMOOTHING) ** new, new / windows)
            seconds = (busy_seconds - self._busy_seconds) / new
            self.seconds_per_window += weight * (seconds - self.seconds_per_window)
            self._busy_seconds, self._windows = busy_seconds, windows
            self._let_in()

    async def _enter(self) -> None:
        if self.would_time_out:
            raise self.refusal()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._let_in()
        try:
            async with asyncio.timeout(self.max_wait):
                await turn
        except (TimeoutError, asyncio.CancelledError) as error:
            self._give_up(turn)
            if isinstance(error, TimeoutError):
                raise self.refusal() from None
            raise

    def _let_in(self) -> None:
        """Give places to those who wait, the first first, as far as there is room."""
        while self._waiting and self.taken < self.max_places and self.delay <= self.max_delay:
            turn = self._waiting.popleft()
            if not turn.done():
                self.taken += 1
                turn.set_result(None)

    def _give_up(self, turn: "asyncio.Future[None]") -> None:
        """Who leaves does not wait any more, and gives back the place that came too late to be taken."""
        if turn in self._waiting:
            self._waiting.remove(turn)
        if turn.done() and not turn.cancelled():
            self.taken -= 1
            self._let_in()

    def refusal(self) -> ApiError:
        """503, with an honest Retry-After."""
        retry_after = min(MAX_RETRY_AFTER, (self.delay + self.seconds_per_window * len(self._waiting)) / 2)
        return busy("The server has all the work it can take. Try again in a moment.", retry_after)
