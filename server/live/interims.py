"""Interim results: how the open utterance reads so far, again and again while somebody speaks."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.websockets import WebSocketDisconnect

from asr.audio import SAMPLE_RATE
from asr.errors import AsrError
from asr.pcm import Pcm
from asr.stable import Partial, StablePrefix
from search.errors import SearchError
from server.live.ear import Ear, TrustingEar
from server.live.recogniser import Heard, Recogniser
from server.metrics import Metrics

FIRST_SECONDS = 0.15  # after speech has been noticed, which takes a quarter of a second: with less there is no word
PACE_SECONDS = 0.4
SHARE = 0.5  # of the time, at most, that the utterance is being recognised: with a busy engine they come less often


class Interims:
    """At most one is on its way at a time; `tell` is called with each, its start and its duration in seconds."""

    def __init__(
        self,
        ear: Ear | TrustingEar,
        recogniser: Recogniser,
        metrics: Metrics,
        tell: Callable[[Partial, Heard, float, float], Awaitable[bool]],
    ) -> None:
        self._ear = ear
        self._recogniser = recogniser
        self._metrics = metrics
        self._tell = tell
        self._prefix = StablePrefix()
        self._start = 0.0
        self._task: asyncio.Task[None] | None = None

    def begin(self, start: float) -> None:
        """An utterance is open since `start` seconds."""
        self._prefix = StablePrefix()
        self._start = start
        self.resume(FIRST_SECONDS)

    def resume(self, delay: float = 0.0) -> None:
        """Its speaker goes on."""
        self.pause()
        self._task = asyncio.create_task(self._follow(delay))

    def pause(self) -> None:
        """There is nothing new to be heard; what is on its way is dropped."""
        if self._task:
            self._task.cancel()
            self._task = None

    async def _follow(self, delay: float) -> None:
        loop = asyncio.get_running_loop()
        heard_samples = 0
        while True:
            await asyncio.sleep(delay)
            started = loop.time()
            samples = self._ear.open_samples
            if len(samples) > heard_samples:
                heard_samples = len(samples)
                await self._give_one(samples)
            took = loop.time() - started
            delay = max(PACE_SECONDS - took, took * (1 / SHARE - 1))

    async def _give_one(self, samples: Pcm) -> None:
        outcome = "dropped"
        try:
            heard = await self._recogniser.interim(samples)
            outcome = "empty"
            transcript = heard.transcript
            if transcript.text:
                partial = self._prefix.update(transcript.text, transcript.confidence)
                was_told = await self._tell(partial, heard, self._start, len(samples) / SAMPLE_RATE)
                outcome = "sent" if was_told else "dropped"
        except (AsrError, SearchError, WebSocketDisconnect):
            pass  # finals tell what is wrong; that the client has gone, the connection knows
        finally:
            self._metrics.interims.labels(outcome).inc()
