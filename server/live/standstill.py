"""Whether an utterance still says more: where music or a television runs on, its speaker has stopped all the same."""

from dataclasses import dataclass

from search.text.tokens import tokens
from server.live.hangover import breaks_off
from server.live.options import ListenOptions

UNCHANGED_SECONDS = 1.0  # of sound: whoever speaks says two words or three meanwhile
BREAKING_OFF = 2.0  # times as long: "hotels in um"
BEYOND_HANGOVER_SECONDS = 0.1  # silence, where there is any, comes first
WORDLESS_SECONDS = 5.0
MARGIN_SECONDS = 0.3  # a last word may be read before it is over, and the next may have begun unread
KEPT_SECONDS = 1.0  # of what holds no words: the first of them may have begun


@dataclass(frozen=True)
class Cut:
    """The utterance ends at `end` seconds of the stream; what follows from `start` on holds nothing more of it."""

    end: float
    start: float


class Standstill:
    """Follows how the open utterance reads. One text for so long is its end; none for longer, that nobody speaks."""

    def __init__(self, options: ListenOptions) -> None:
        self.cut: Cut | None = None
        self._words: list[str] | None = None  # None: nothing has been heard of it
        self._since = self._silent = 0.0
        self._unchanged = UNCHANGED_SECONDS
        if options.endpointing is not None:
            most = options.hangover_bounds_ms[1] / 1000 + BEYOND_HANGOVER_SECONDS
            self._unchanged = max(UNCHANGED_SECONDS, most)

    def hear(self, text: str, end: float) -> None:
        """It reads as `text`, up to `end` seconds of the stream."""
        words = tokens(text)
        if words != self._words:
            self._words, self._since, self._silent = words, end, 0.0
        elif end - self._since - self._silent >= self._patience(text):
            since = min(self._since + MARGIN_SECONDS, end) if words else end - KEPT_SECONDS
            self.cut = Cut(since, max(since, end - MARGIN_SECONDS) if words else since)

    def skip(self, seconds: float) -> None:
        """So long was a pause in it, in which nothing could change."""
        self._silent += seconds

    def forget(self) -> None:
        """The utterance is over."""
        self.cut = self._words = None
        self._since = self._silent = 0.0

    def _patience(self, text: str) -> float:
        if not self._words:
            return max(WORDLESS_SECONDS, self._unchanged)
        return self._unchanged * (BREAKING_OFF if breaks_off(text) else 1)
