"""What is still to be said once nobody speaks: that the speaker has come to an end, that nobody has gone on since."""

from server.live.options import ListenOptions


class SilenceTracker:
    """Follows when somebody speaks; all times are seconds of the stream."""

    def __init__(self, options: ListenOptions) -> None:
        self._options = options
        self._is_open = False  # somebody has begun to speak, and that utterance has not ended
        self._paused_at: float | None = None  # in it
        self._last_word: float | None = None  # its end, where UtteranceEnd is still to come
        self._cut_at: float | None = None  # where an utterance was cut of which nothing more has been heard

    @property
    def cut_at(self) -> float | None:
        """Where the last utterance was cut for its length, and it is not known yet whether it goes on."""
        return self._cut_at

    def begin(self) -> None:
        """Somebody speaks."""
        self._is_open = True
        self._last_word = self._cut_at = None

    def pause(self, at: float) -> None:
        self._paused_at = at

    def resume(self) -> None:
        self._paused_at = None

    def end(self, at: float, *, is_cut: bool) -> float:
        """The utterance ends. Gives where its last word did, as far as is known."""
        last_word = at if self._paused_at is None else self._paused_at
        if self._is_open:
            self._last_word = last_word
        self._cut_at = at if is_cut else None
        self._is_open, self._paused_at = False, None
        return last_word

    def end_late(self, last_word: float) -> None:
        """What nobody was told of while it lasted turned out to have words."""
        if not self._is_open:
            self._last_word = last_word

    def ends_cut(self, now: float) -> bool:
        """Whether nobody has gone on, for longer than any pause, where an utterance was cut for its length."""
        if self._cut_at is None or self._options.endpointing is None:
            return False
        return now - self._cut_at >= self._options.hangover_bounds_ms[1] / 1000

    def end_cut(self) -> None:
        """It has been said that nobody has."""
        self._cut_at = None

    def utterance_end(self, now: float) -> float | None:
        """The end of the last word, once, when nobody has spoken since for as long as was asked for."""
        quiet_ms, since = self._options.utterance_end_ms, self._last_word
        if quiet_ms is None or since is None or self._is_open or self._cut_at is not None:
            return None
        if now - since < quiet_ms / 1000:
            return None
        self._last_word = None
        return since
