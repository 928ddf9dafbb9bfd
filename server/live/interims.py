"""How the open utterance reads so far, again and again: interim results, and whether there is more to come."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.websockets import WebSocketDisconnect

from asr.decoding.stable_prefix import Partial, StablePrefix
from asr.errors import AsrError
from search.errors import SearchError
from server.live.options import ListenOptions
from server.live.recogniser import Recogniser, UtteranceResult
from server.live.standstill import Standstill
from server.metrics import Metrics
from vad.utterances import Utterance, UtteranceStream

FIRST_SECONDS = 0.05  # after speech has been noticed, which takes a third of a second: with less there is no word
FIRST_PACE_SECONDS = 0.1  # until there is one
PACE_SECONDS = 0.4
SHARE = 0.5  # of the time, at most, that the utterance is being recognised: with a busy engine they come less often
# Where nobody wants interims, an utterance is followed once it is longer than most, and seldom while it has no words.
LONG_SECONDS = 2.5
UNTOLD_PACE_SECONDS, UNTOLD_SHARE = 0.5, 0.25
WORDLESS_PACE_SECONDS = 1.0
OVERDUE_SECONDS = 1.0  # without an answer: music with a pause after each note must not drop all that is on its way


class Interims:
    """At most one is on its way at a time; `tell` is called with each that has words, and what it was heard in.

    `wake` is called when `standstill` has found that the utterance has come to its end, though sound goes on.
    """

    def __init__(
        self,
        stream: UtteranceStream,
        recogniser: Recogniser,
        metrics: Metrics,
        options: ListenOptions,
        tell: Callable[[Partial, UtteranceResult, Utterance], Awaitable[bool]],
        wake: Callable[[], None],
    ) -> None:
        self.standstill = Standstill(options)
        self._stream = stream
        self._recogniser = recogniser
        self._metrics = metrics
        self._tell = tell
        self._wake = wake
        self._are_wanted = options.interim_results
        self._ends_by_silence = options.endpointing is not None
        self._prefix = StablePrefix()
        self._task: asyncio.Task[None] | None = None
        self._pace = FIRST_PACE_SECONDS
        self._next_at = self._answered_at = 0.0  # by the event loop's clock
        self._paused_at: float | None = None  # seconds of the stream

    @property
    def stable(self) -> str:
        """What was told of the open utterance for good."""
        return self._prefix.stable

    def begin(self) -> None:
        """Somebody has begun to speak."""
        self.end()
        self._pace = FIRST_PACE_SECONDS if self._are_wanted else UNTOLD_PACE_SECONDS
        wait = FIRST_SECONDS if self._are_wanted else LONG_SECONDS
        self._next_at = self._answered_at = asyncio.get_running_loop().time() + wait
        self._go_on()

    def resume(self, at: float) -> None:
        """Its speaker goes on, and so does the pace: pauses within words would else bring an interim each."""
        if self._paused_at is not None:
            self.standstill.skip(at - self._paused_at)
            self._paused_at = None
        self._go_on()

    def _go_on(self) -> None:
        if (not self._task or self._task.done()) and (self._are_wanted or self._ends_by_silence):
            self._task = asyncio.create_task(self._follow())

    def pause(self, at: float) -> None:
        """There is nothing new to be heard; what is on its way is dropped, unless nothing has come for long."""
        self._paused_at = at
        is_overdue = asyncio.get_running_loop().time() - self._answered_at >= OVERDUE_SECONDS
        if not (is_overdue and self._ends_by_silence):
            self._drop()

    def end(self) -> None:
        """The utterance is over: nothing of it holds for the next."""
        self._drop()
        self._prefix = StablePrefix()
        self._paused_at = None
        self.standstill.forget()

    def _drop(self) -> None:
        if self._task:
            self._task.cancel()
            self._task = None

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        heard_until = 0.0
        while True:
            await asyncio.sleep(max(0.0, self._next_at - loop.time()))
            started = loop.time()
            self._next_at = started + self._pace
            utterance = self._stream.heard
            if utterance.end > heard_until:
                heard_until = utterance.end
                has_words = await self._give_one(utterance)
                self._answered_at = loop.time()
                if self._are_wanted:
                    self._pace = PACE_SECONDS if has_words or _length(utterance) > LONG_SECONDS else self._pace
                else:
                    self._pace = UNTOLD_PACE_SECONDS if has_words else WORDLESS_PACE_SECONDS
            took = loop.time() - started
            self._next_at = started + max(self._pace, took / (SHARE if self._are_wanted else UNTOLD_SHARE))

    async def _give_one(self, utterance: Utterance) -> bool:
        """Whether there were words."""
        outcome = "dropped"
        try:
            heard = await self._recogniser.interim(utterance.samples)
            outcome = "empty"
            transcript = heard.transcript
            if transcript.text:
                partial = self._prefix.update(transcript.text, transcript.word_confidences)
                was_told = await self._tell(partial, heard, utterance)
                outcome = "sent" if was_told else "dropped" if self._are_wanted else "untold"
            if self._ends_by_silence:
                self.standstill.hear(transcript.text, min(utterance.end, self._paused_at or utterance.end))
                if self.standstill.cut:
                    self._wake()
        except (AsrError, SearchError, WebSocketDisconnect):
            pass  # finals tell what is wrong; that the client has gone, the connection knows
        finally:
            self._metrics.interims.labels(outcome).inc()
        return outcome != "empty"


def _length(utterance: Utterance) -> float:
    return utterance.end - utterance.start
