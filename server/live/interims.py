"""Interim results: how the open utterance reads so far, again and again while somebody speaks."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.websockets import WebSocketDisconnect

from asr.errors import AsrError
from asr.stable import Partial, StablePrefix
from search.errors import SearchError
from server.live.recogniser import Heard, Recogniser
from server.metrics import Metrics
from vad.utterances import Utterance, UtteranceStream

FIRST_SECONDS = 0.05  # after speech has been noticed, which takes a third of a second: with less there is no word
FIRST_PACE_SECONDS = 0.1  # until there is one
PACE_SECONDS = 0.4
SHARE = 0.5  # of the time, at most, that the utterance is being recognised: with a busy engine they come less often


class Interims:
    """At most one is on its way at a time; `tell` is called with each, and what it was heard in."""

    def __init__(
        self,
        stream: UtteranceStream,
        recogniser: Recogniser,
        metrics: Metrics,
        tell: Callable[[Partial, Heard, Utterance], Awaitable[bool]],
    ) -> None:
        self._stream = stream
        self._recogniser = recogniser
        self._metrics = metrics
        self._tell = tell
        self._prefix = StablePrefix()
        self._task: asyncio.Task[None] | None = None
        self._pace = FIRST_PACE_SECONDS
        self._next_at = 0.0  # by the event loop's clock

    @property
    def stable(self) -> str:
        """What was told of the open utterance for good."""
        return self._prefix.stable

    def begin(self) -> None:
        """Somebody has begun to speak."""
        self._pace = FIRST_PACE_SECONDS
        self._next_at = asyncio.get_running_loop().time() + FIRST_SECONDS
        self.resume()

    def resume(self) -> None:
        """Its speaker goes on, and so does the pace: pauses within words would else bring an interim each."""
        self.pause()
        self._task = asyncio.create_task(self._follow())

    def pause(self) -> None:
        """There is nothing new to be heard; what is on its way is dropped."""
        if self._task:
            self._task.cancel()
            self._task = None

    def end(self) -> None:
        """The utterance is over: nothing of it holds for the next."""
        self.pause()
        self._prefix = StablePrefix()

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
                if await self._give_one(utterance):
                    self._pace = PACE_SECONDS
            took = loop.time() - started
            self._next_at = started + max(self._pace, took / SHARE)

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
                outcome = "sent" if was_told else "dropped"
        except (AsrError, SearchError, WebSocketDisconnect):
            pass  # finals tell what is wrong; that the client has gone, the connection knows
        finally:
            self._metrics.interims.labels(outcome).inc()
        return outcome != "empty"
