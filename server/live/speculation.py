"""The final that is worked on in a pause, while its utterance may still go on."""

import asyncio
from collections.abc import Callable

from server.live.hangover import hangover
from server.live.options import ListenOptions
from server.live.recogniser import Recognition, UtteranceResult
from server.metrics import Metrics


class Speculation:
    """At most one at a time: `begin` it in a pause; `forget` it when speech goes on, `take` it when that was the end.

    What it heard tells how long the pause is to be that ends the utterance: then `expected` is set, and `wake` called.
    """

    def __init__(self, options: ListenOptions, metrics: Metrics, wake: Callable[[], None]) -> None:
        self.expected: float | None = None  # seconds of silence
        self._options = options
        self._metrics = metrics
        self._wake = wake
        self._timer: asyncio.TimerHandle | None = None
        self._recognition: Recognition | None = None

    def begin(self, recognise: Callable[[], Recognition], delay: float) -> None:
        """Start `recognise` in `delay` seconds."""

        def start() -> None:
            self._recognition = recognise()
            self._recognition.add_done_callback(self._expect)

        self._timer = asyncio.get_running_loop().call_later(delay, start)

    def take(self) -> Recognition | None:
        """What has been begun, for the final; none where the pause was too short for that."""
        return self._end("used")

    def forget(self) -> None:
        """It was in vain."""
        if recognition := self._end("vain"):
            recognition.cancel()

    def _end(self, outcome: str) -> Recognition | None:
        if self._timer:
            self._timer.cancel()
        recognition = self._recognition
        self._timer = self._recognition = self.expected = None
        if recognition:
            self._metrics.speculative_finals.labels(outcome).inc()
        return recognition

    def _expect(self, recognition: asyncio.Task[UtteranceResult]) -> None:
        """Wait longer for a speaker whose query breaks off, and less for one that reads complete."""
        if self._options.endpointing is None or recognition is not self._recognition:
            return
        if not recognition.cancelled() and not recognition.exception():
            transcript = recognition.result().transcript
            self.expected = hangover(transcript.text, transcript.ending, self._options)
            self._wake()
