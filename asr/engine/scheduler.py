"""Whose turn it is: which clips' windows are encoded next, and which are read on. It touches no tensor.

Clips are taken in the order in which they came, one window at a time: a long recording goes to the back of the queue
after each of its windows. A window holds seats, one for each sequence that it may read, from its encoding to its end;
texts that are scored hold one together, for the moment that they take.
Between two encodings those that are being read go on for a few steps, so that newcomers never hold them up for long.

The first in the queue is always the next to be encoded, and decides of what kind those are that are encoded with it:
others of its kind that wait behind it may join, past those of another kind, as long as there are seats and room in the
batch. Where the first finds no seats nobody is encoded, so that nobody is overtaken for ever. What can be deferred has
a queue of its own, and is begun only while nothing else waits.
"""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

STEPS_BETWEEN_ENCODINGS = 4


class Schedulable(Protocol):
    """What is scheduled: something that takes `seats` while it is being read.

    Windows of an equal `kind` may be encoded together.
    """

    @property
    def seats(self) -> int: ...

    @property
    def kind(self) -> Hashable: ...


T = TypeVar("T", bound=Schedulable)


@dataclass(frozen=True)
class ScheduledBatch(Generic[T]):
    """What the engine does next: encode windows of one kind, if any, then read all of these a step further."""

    encode: tuple[T, ...]
    read: tuple[T, ...]


class Scheduler(Generic[T]):
    """The queue and who has left it.

    `seats` is how many sequences may be read at once, `encode_at_once` how many windows are encoded together at most.
    """

    def __init__(self, seats: int, encode_at_once: int = 1) -> None:
        self.seats = seats
        self.encode_at_once = encode_at_once
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

    def next_turn(self) -> ScheduledBatch[T]:
        """Decide the next turn; those that are to be encoded take their seats."""
        queue = self.waiting or self.deferred
        encode: list[T] = []
        if queue and self._may_encode(queue[0]):
            encode.append(self._seated(queue, queue[0]))
            for item in list(queue):
                if len(encode) < self.encode_at_once and item.kind == encode[0].kind and item.seats <= self._free:
                    encode.append(self._seated(queue, item))
            self._steps_since_encoding = 0
        self._steps_since_encoding += 1
        return ScheduledBatch(tuple(encode), tuple(self.reading))

    @property
    def _free(self) -> int:
        return self.seats - sum(item.seats for item in self.reading)

    def _may_encode(self, first: T) -> bool:
        """Whether it is time and the first in a queue finds seats; one that needs more than there are goes alone."""
        if not self.reading:
            return True
        return first.seats <= self._free and self._steps_since_encoding >= STEPS_BETWEEN_ENCODINGS

    def _seated(self, queue: deque[T], item: T) -> T:
        queue.remove(item)
        self.reading.append(item)
        return item
