"""The stretch of a stream's samples that may still be needed."""

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]

SMALLEST = 16_000  # samples


class HeldAudio:
    """Samples from `start` to `end` of a stream: new ones join at the end, old ones are let go at the start.

    What was handed out stays as it is: a sample's place is written once, and a full array is left for a new one.
    """

    def __init__(self) -> None:
        self.start = 0
        self._array: Samples = np.empty(SMALLEST, np.int16)
        self._first = self._last = 0

    @property
    def end(self) -> int:
        return self.start + self._last - self._first

    def append(self, samples: Samples) -> None:
        if self._last + len(samples) > len(self._array):
            self._move(len(samples))
        self._array[self._last : self._last + len(samples)] = samples
        self._last += len(samples)

    def let_go(self, before: int) -> None:
        """Forgets the samples before one that is held, or that is the next to come."""
        self._first += before - self.start
        self.start = before

    def between(self, start: int, end: int) -> Samples:
        """The samples start <= i < end, all of them held: not a copy, and not to be written to."""
        samples = self._array[self._first + start - self.start : self._first + end - self.start]
        samples.flags.writeable = False
        return samples

    def _move(self, more: int) -> None:
        """To an array twice as long as what it must hold, so that a growing utterance moves seldom."""
        held = self._array[self._first : self._last]
        self._array = np.empty(max(SMALLEST, 2 * (len(held) + more)), np.int16)
        self._array[: len(held)] = held
        self._first, self._last = 0, len(held)
