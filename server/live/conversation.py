"""One listener's utterances: from what the ear hears to interims and finals, in order and in bounds."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from asr.pcm import Pcm
from asr.stable import Partial
from server.errors import api_error, error_body
from server.live import results
from server.live.completeness import Completeness, completeness
from server.live.ear import Ear, HearingEvent, SilenceBegan, SpeechBegan, SpeechResumed, TrustingEar, Utterance
from server.live.interims import Interims
from server.live.listeners import MOST_FINALS
from server.live.options import ListenOptions
from server.live.protocol import Error, ResultsMetadata, ServerMessage, SpeechStarted, UtteranceEnd
from server.live.recogniser import Heard, Recogniser
from server.metrics import Metrics

NAMES_OF_RESULTS = 3  # that a complete query may end with

EndedBy = Literal["silence", "finalize", "close", "longest"]
Recognition = asyncio.Task[Heard]


@dataclass(frozen=True)
class Due:
    """A final that is owed to the client; `recognition` is None where nothing was said."""

    utterance: Utterance
    recognition: Recognition | None
    from_finalize: bool
    ended: float = field(default_factory=time.monotonic)


class Conversation:
    """Hears samples at 16 kHz, and sends what they give with `send`.

    Finals are delivered by `deliver`, which runs beside, in the order of the utterances. While several are due, `hear`
    waits: that is what bounds a client that sends faster than the server recognises. `wake` is called when `settle` is
    to be.
    """

    def __init__(
        self,
        options: ListenOptions,
        recogniser: Recogniser,
        metrics: Metrics,
        metadata: ResultsMetadata,
        send: Callable[[ServerMessage], Awaitable[None]],
        wake: Callable[[], None],
    ) -> None:
        self.utterances = 0
        self._options = options
        self._recogniser = recogniser
        self._metrics = metrics
        self._metadata = metadata
        self._send = send
        self._wake = wake
        self._ear = _ear(options)
        self._interims = Interims(self._ear, recogniser, metrics, self._tell_interim)
        self._speculation: Recognition | None = None
        self._due: asyncio.Queue[Due | UtteranceEnd | None] = asyncio.Queue(MOST_FINALS)
        self._undelivered = 0
        self._quiet_since: float | None = None  # the end of the last word, where UtteranceEnd is still to come

    async def hear(self, samples: Pcm) -> None:
        """Take the next samples, at 16 kHz."""
        await self._follow(self._ear.push(samples))
        await self._end_quiet()

    async def settle(self) -> None:
        """End the utterance whose speaker, as turned out meanwhile, has come to the end."""
        await self._follow(self._ear.settle())

    async def finalize(self) -> None:
        """The client says that the utterance is over: there will be one final, empty or not."""
        utterance = self._flush() or Utterance(self._ear.position, np.zeros(0, np.int16), self._ear.position)
        await self._end(utterance, "finalize")

    async def finish(self) -> None:
        """There will be no more audio: see to it that `deliver` ends when all that is due is delivered."""
        if utterance := self._flush():
            await self._end(utterance, "close")
        await self._due.put(None)

    def close(self) -> None:
        """Give up all that is not delivered."""
        self._interims.pause()
        self._forget_speculation()
        while not self._due.empty():
            due = self._due.get_nowait()
            if isinstance(due, Due) and due.recognition:
                due.recognition.cancel()

    async def deliver(self) -> None:
        """Send finals as they become ready, until `finish`."""
        while (due := await self._due.get()) is not None:
            if isinstance(due, UtteranceEnd):
                await self._send(due)
            else:
                await self._deliver_final(due)
            self._undelivered -= 1

    async def _follow(self, events: Iterator[HearingEvent]) -> None:
        for event in events:
            match event:
                case SpeechBegan():
                    await self._begin(event)
                case SilenceBegan():
                    self._interims.pause()
                    self._speculate()
                case SpeechResumed():
                    self._forget_speculation()
                    if self._options.interim_results:
                        self._interims.resume()
                case Utterance():
                    await self._end(event, "longest" if event.is_cut else "silence")

    async def _begin(self, speech: SpeechBegan) -> None:
        self._quiet_since = None
        if self._options.interim_results:
            self._interims.begin(speech.at)
        if self._options.vad_events:
            await self._send(SpeechStarted(timestamp=round(speech.at, 3)))

    def _speculate(self) -> None:
        """Recognise what may be the whole utterance: when it turns out to be, its final is there."""
        self._speculation = self._recognise(self._ear.open_samples)
        if self._options.hangover_bounds_ms != (self._options.hangover_ms, self._options.hangover_ms):
            self._speculation.add_done_callback(self._adapt_hangover)

    def _adapt_hangover(self, speculation: Recognition) -> None:
        """Wait longer for a speaker whose query breaks off, and less for one that reads complete."""
        if speculation is not self._speculation or speculation.cancelled() or speculation.exception():
            return
        least, most = self._options.hangover_bounds_ms
        milliseconds = {
            Completeness.COMPLETE: least,
            Completeness.UNSURE: self._options.hangover_ms,
            Completeness.OPEN: most,
        }[_completeness(speculation.result())]
        self._ear.hangover = milliseconds / 1000
        self._wake()

    def _forget_speculation(self) -> None:
        if self._speculation:
            self._speculation.cancel()
            self._speculation = None
            self._metrics.speculative_finals.labels("vain").inc()
            self._reset_hangover()

    def _reset_hangover(self) -> None:
        if self._options.endpointing is not None:
            self._ear.hangover = self._options.hangover_ms / 1000

    def _flush(self) -> Utterance | None:
        return next((event for event in self._ear.flush() if isinstance(event, Utterance)), None)

    async def _end(self, utterance: Utterance, ended_by: EndedBy) -> None:
        self._interims.pause()
        recognition, self._speculation = self._speculation, None
        if recognition:
            self._metrics.speculative_finals.labels("used").inc()
        elif len(utterance.samples):
            recognition = self._recognise(utterance.samples)
        self._reset_hangover()
        self._metrics.utterances.labels(ended_by).inc()
        self._metrics.audio_seconds.inc(utterance.duration)
        self.utterances += 1
        self._quiet_since = utterance.speech_end
        await self._put(Due(utterance, recognition, ended_by == "finalize"))

    async def _put(self, due: Due | UtteranceEnd) -> None:
        self._undelivered += 1
        try:
            await self._due.put(due)
        except asyncio.CancelledError:
            if isinstance(due, Due) and due.recognition:
                due.recognition.cancel()
            raise

    def _recognise(self, samples: Pcm) -> Recognition:
        recognition = asyncio.create_task(self._recogniser.final(samples))
        # What fails is told where it is delivered; what is thrown away may fail unheard.
        recognition.add_done_callback(lambda task: task.cancelled() or task.exception())
        return recognition

    async def _deliver_final(self, due: Due) -> None:
        heard = None
        try:
            heard = await due.recognition if due.recognition else None
        except Exception as error:
            body = error_body(api_error(error, self._metadata.request_id))
            await self._send(Error.of(body))
        waited = time.monotonic() - due.ended
        self._metrics.final_wait_seconds.observe(waited)
        if heard:
            self._count(heard)
            self._recogniser.note(heard)
        await self._send(
            results.final(due.utterance, heard, self._metadata, from_finalize=due.from_finalize, waited=waited)
        )

    def _count(self, heard: Heard) -> None:
        self._metrics.verdicts.labels(heard.transcript.quality.verdict).inc()
        for stage, seconds in heard.stages.items():
            self._metrics.stage_seconds.labels(stage).observe(seconds)

    async def _tell_interim(self, partial: Partial, heard: Heard, start: float, duration: float) -> bool:
        """Whether it was sent: an interim may not come before the finals of earlier utterances."""
        if self._undelivered:
            return False
        await self._send(results.interim(partial, heard, start, duration, self._metadata))
        return True

    async def _end_quiet(self) -> None:
        """Say so when nobody has spoken for long enough since the last utterance."""
        quiet_ms, since = self._options.utterance_end_ms, self._quiet_since
        if quiet_ms is None or since is None or self._ear.is_open:
            return
        if self._ear.position - since >= quiet_ms / 1000:
            self._quiet_since = None
            await self._put(UtteranceEnd(last_word_end=round(since, 3)))


def _ear(options: ListenOptions) -> Ear | TrustingEar:
    if options.endpointing is None:
        return TrustingEar()
    return Ear(options.hangover_ms / 1000, options.hangover_bounds_ms[1] / 1000)


def _completeness(heard: Heard) -> Completeness:
    found = heard.found.results[:NAMES_OF_RESULTS] if heard.found else []
    names = [name for result in found for name in (result.title, *result.fields.values()) if isinstance(name, str)]
    return completeness(heard.transcript.text, heard.transcript.confidence, names)
