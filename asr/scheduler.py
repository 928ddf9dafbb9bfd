"""Whose turn it is: which clip's window is encoded next, and which are read on. It touches no tensor.

Clips are taken in the order in which they came, one window at a time: a long recording goes to the back of the queue
after each of its windows. A window holds seats, one for each sequence that it may read, from its encoding to its end.
Between two encodings those that are being read go on for a few steps, so that newcomers never hold them up for long.
What can be deferred is begun only while nothing else waits.
"""

from collections import deque
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

STEPS_BETWEEN_ENCODINGS = 4


class Seated(Protocol):
    """What is scheduled: something that takes `seats` while it is being read."""

    @property
    def seats(self) -> int: ...


T = TypeVar("T", bound=Seated)


@dataclass(frozen=True)
class Turn(Generic[T]):
    """What the engine does next: encode one window, if any, then read all of these a step further."""

    encode: T | None
    read: tuple[T, ...]


class Scheduler(Generic[T]):
    """The queue and who has left it. `seats` is how many sequences may be read at once."""

    def __init__(self, seats: int) -> None:
        self.seats = seats
        self.waiting: deque[T] = deque()
        self.deferred: deque[T] = deque()
        self.reading: list[T] = []
        self._steps_since_encoding = STEPS_BETWEEN_ENCODINGS

    @property
    def has_work(self) -> bool:
        return bool(self.waiting or self.deferred or self.reading)

    @property
    def queued(self) -> list[T]:
        """All that wait, in the order of their turns."""
        return [*self.waiting, *self.deferred]

    def add(self, item: T, *, deferrable: bool = False) -> None:
        """Queue it, last; `deferrable`: behind all that will come and is not."""
        (self.deferred if deferrable else self.waiting).append(item)

    def add_first(self, item: T) -> None:
        """Queue it before all others: it has had its turn already."""
        self.waiting.appendleft(item)

    def remove(self, item: T) -> None:
        """Forget it, wherever it is; its seats are free at once."""
        for place in (self.waiting, self.deferred, self.reading):
            if item in place:
                place.remove(item)

    def next_turn(self) -> Turn[T]:
        """Decide the next turn; what is to be encoded takes its seats."""
        encode = None
        queue = self.waiting or self.deferred
        if queue and self._may_encode(queue[0]):
            encode = queue.popleft()
            self.reading.append(encode)
            self._steps_since_encoding = 0
        self._steps_since_encoding += 1
        return Turn(encode, tuple(self.reading))

    def _may_encode(self, item: T) -> bool:
        if not self.reading:
            return True
        free = self.seats - sum(reading.seats for reading in self.reading)
        return item.seats <= free and self._steps_since_encoding >= STEPS_BETWEEN_ENCODINGS
