"""Whether an utterance still says more: where music or a television runs on, its speaker has stopped all the same."""

from dataclasses import dataclass

from search.text import tokens
from server.live.options import ListenOptions

UNCHANGED_SECONDS = 1.0  # of audio: whoever speaks says two words or three meanwhile
BEYOND_HANGOVER_SECONDS = 0.1  # silence, where there is any, comes first
WORDLESS_SECONDS = 3.0
KEPT_SECONDS = 1.0  # of what holds no words: the first of them may have begun


@dataclass(frozen=True)
class Cut:
    """The utterance ends at `end` seconds of the stream; what follows from `start` on holds nothing more of it."""

    end: float
    start: float
    has_words: bool


class Standstill:
    """Follows how the open utterance reads. One text for so long is its end; none for longer, that nobody speaks."""

    def __init__(self, options: ListenOptions) -> None:
        self.cut: Cut | None = None
        self._words: list[str] | None = None  # None: nothing has been heard of it
        self._since = 0.0
        self._unchanged = UNCHANGED_SECONDS
        if options.endpointing is not None:
            most = options.hangover_bounds_ms[1] / 1000 + BEYOND_HANGOVER_SECONDS
            self._unchanged = max(UNCHANGED_SECONDS, most)

    def hear(self, text: str, end: float) -> None:
        """It reads as `text`, up to `end` seconds of the stream."""
        words = tokens(text)
        if words != self._words:
            self._words, self._since = words, end
            return
        if end - self._since >= (self._unchanged if words else max(WORDLESS_SECONDS, self._unchanged)):
            kept = 0.0 if words else KEPT_SECONDS
            self.cut = Cut(self._since if words else end - kept, end - kept, bool(words))

    def forget(self) -> None:
        """The utterance is over."""
        self.cut = self._words = None
        self._since = 0.0
