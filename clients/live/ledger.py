"""What was said, and what of it is answered: over all connections of a stream. It does no I/O and knows no clock.

Three scales of time, of a stream in which the silence from `b` to `c` was left out, and whose connection broke when all
before `a` had its finals:

    the stream          0 ──── a ──── b ········ c ──── d    seconds since it began: what events tell
    offsets             0 ──── a ──── bc ──── d              bytes that were kept: here, in `Backlog` and `Timeline`
    the new connection         0 ──── bc ──── d              seconds since its first sample: what the server tells

A message's time plus where its connection began (`_base`) is an offset; `Timeline` adds what was left out before it.
"""

from clients.errors import MalformedAnswer
from clients.live.backlog import Backlog, Marker
from clients.live.events import Final, Interim, SpeechStarted, UtteranceEnd
from clients.live.messages import Ended, Results, Started
from clients.live.protocol import StreamOptions
from clients.live.timeline import Timeline

BACKLOG_SECONDS = 120.0  # of audio without its finals: an utterance has at most 30, and some may be in work
MOST_MARKS = 1_000  # finalizes that are not answered, and places where audio was left out
CONTEXT_SECONDS = 5.0  # kept of silence: speech that begins in it may not have been told of
SAME_START_SECONDS = 0.5  # heard again, an utterance may seem to begin a little later
ROUNDING_SECONDS = 0.01  # times come in milliseconds


class Ledger:
    """Keeps what has no final yet; turns messages into events, at the stream's times. Offsets are as in `Backlog`."""

    def __init__(self, options: StreamOptions) -> None:
        self._options = options
        self._backlog = Backlog()
        self._timeline = Timeline()
        self._base = 0  # where the connection began
        self._open: list[int] = []  # where utterances began that have no final
        self._told_start: int | None = None  # where the last began that was told of
        self._told_before = -1  # up to where connections before this one told of them

    @property
    def is_full(self) -> bool:
        marks = self._backlog.unanswered + len(self._timeline)
        return len(self._backlog) >= self._size(BACKLOG_SECONDS) or marks > MOST_MARKS

    @property
    def sent(self) -> int:
        """Up to where this connection has sent it."""
        return self._backlog.sent

    def add(self, audio: bytes) -> None:
        self._backlog.add(audio)

    def add_finalize(self) -> None:
        self._backlog.add_finalize()

    def skip_to(self, seconds: float) -> None:
        """What lies between the last audio and this time of the stream is left out."""
        end = self._backlog.end
        self._timeline.skip(end, max(0, self._size(seconds) - self._timeline.position(end)))

    def next(self) -> bytes | Marker | None:
        """What is to be sent next; None where all is sent."""
        return self._backlog.next()

    def begin(self) -> None:
        """On a new connection, all that has no final is sent again."""
        self._backlog.rewind()
        self._base = self._backlog.start
        self._open.clear()
        if self._told_start is not None:
            self._told_before = self._told_start + self._size(SAME_START_SECONDS)

    def started(self, message: Started) -> SpeechStarted | None:
        """None where a connection before has told of it."""
        offset = self._offset(message.timestamp)
        self._open.append(offset)
        if offset <= self._told_before:
            return None
        self._told_start = offset
        return SpeechStarted(self._seconds(offset))

    def event(self, message: Results) -> Interim | Final:
        """What was heard."""
        return message.event(self._moved)

    def ended(self, message: Ended) -> UtteranceEnd:
        """That nobody spoke on."""
        return UtteranceEnd(self._moved(message.last_word_end))

    def answered(self, final: Results) -> None:
        """What the final covers is no longer needed. Raises `MalformedAnswer` for one that nothing asked for."""
        end = self._offset(final.end)
        self._open = [offset for offset in self._open if offset >= end - self._size(ROUNDING_SECONDS)]
        if not final.from_finalize:
            self._release(end)
        elif self._backlog.release_finalized():
            self._timeline.forget(self._backlog.start)
        else:
            raise MalformedAnswer("The server answered a Finalize that it was not sent: is it Sayseek?")

    def read(self, offset: int) -> None:
        """The server has read up to there, and told of the speech in it: older silence is no longer needed.

        Where the client says what an utterance is, there is no silence.
        """
        if self._options.endpointing:
            self._release(min([offset, *self._open]) - self._size(CONTEXT_SECONDS))

    def _release(self, offset: int) -> None:
        self._backlog.release(offset)
        self._timeline.forget(self._backlog.start)

    def _moved(self, seconds: float) -> float:
        """A time of the connection's as one of the stream's."""
        return self._seconds(self._offset(seconds))

    def _offset(self, seconds: float) -> int:
        return self._base + self._size(seconds)

    def _seconds(self, offset: int) -> float:
        return round(self._timeline.position(offset) / self._options.bytes_per_second, 3)

    def _size(self, seconds: float) -> int:
        """In bytes, whole samples."""
        return round(seconds * self._options.sample_rate) * self._options.sample_bytes
