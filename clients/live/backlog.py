"""What was said and may still be needed: kept until its finals have come, to be sent again should a connection break.

A pure data structure: it counts bytes, and knows neither the network nor time.
"""

from collections import deque
from enum import Enum

PIECE_BYTES = 8_192  # a message's most: far below what servers take


class Marker(Enum):
    """What stands between the audio."""

    FINALIZE = "the utterance is over"


class Backlog:
    """Audio, with the places where utterances were finalized.

    Places are offsets: bytes from the first one ever added. Every connection reads all of it by `next`, after
    `rewind`. It holds what lies between `start` and `end`.
    """

    def __init__(self) -> None:
        self.start = 0
        self.sent = 0
        self._audio = bytearray()
        self._finalizes: deque[int] = deque()  # that are not answered
        self._finalizes_sent = 0

    def __len__(self) -> int:
        """Bytes that are held."""
        return len(self._audio)

    @property
    def end(self) -> int:
        """Where the next audio will lie."""
        return self.start + len(self._audio)

    @property
    def unanswered(self) -> int:
        """How many finalizes there are whose final has not come."""
        return len(self._finalizes)

    def add(self, audio: bytes) -> None:
        self._audio += audio

    def add_finalize(self) -> None:
        self._finalizes.append(self.end)

    def rewind(self) -> None:
        """All of it is to be sent again."""
        self.sent = self.start
        self._finalizes_sent = 0

    def next(self) -> bytes | Marker | None:
        """What is to be sent next, at most `PIECE_BYTES`; None where all is sent."""
        stop = self.end
        if self._finalizes_sent < len(self._finalizes):
            stop = self._finalizes[self._finalizes_sent]
            if stop == self.sent:
                self._finalizes_sent += 1
                return Marker.FINALIZE
        first = self.sent - self.start
        piece = bytes(self._audio[first : min(first + PIECE_BYTES, stop - self.start)])
        self.sent += len(piece)
        return piece or None

    def release(self, offset: int) -> None:
        """What lies before `offset` is no longer needed, as far as it was sent and no finalize lies in it."""
        first_finalize = self._finalizes[0] if self._finalizes else offset
        until = min(offset, self.sent, first_finalize)
        if until > self.start:
            del self._audio[: until - self.start]
            self.start = until

    def release_finalized(self) -> bool:
        """The first finalize is answered: it and what lies before it are not needed. False where none was sent."""
        if not self._finalizes_sent:
            return False
        offset = self._finalizes.popleft()
        self._finalizes_sent -= 1
        del self._audio[: offset - self.start]
        self.start = offset
        return True
