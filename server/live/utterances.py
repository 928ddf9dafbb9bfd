"""One listener's utterances: from what the ear hears to interims and finals, in order and in bounds."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from asr.audio.pcm_stream import Pcm
from asr.decoding.stable_prefix import Partial
from server.errors import api_error, error_body
from server.listeners import MOST_FINALS
from server.live import results
from server.live.interims import Interims
from server.live.options import ListenOptions
from server.live.protocol import Error, ResultsMetadata, ServerMessage, UtteranceEnd
from server.live.protocol import SpeechStarted as SpeechStartedMessage
from server.live.recogniser import Recogniser, Recognition, UtteranceResult
from server.live.silence import SilenceTracker
from server.live.speculation import Speculation
from server.live.utterance import UtteranceSpan
from server.metrics import Metrics
from vad.endpointer import (
    EndpointerOptions,
    Event,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    UtteranceEnded,
)
from vad.frames import FRAME_SECONDS
from vad.utterances import SAMPLE_RATE, Utterance, UtteranceStream

PAUSE_SECONDS = 0.12  # after which it is worth to recognise what was said: closures within words are shorter

EndedBy = Literal["silence", "standstill", "finalize", "close", "longest", "cut off"]


@dataclass(frozen=True)
class PendingFinal:
    """A final that is owed to the client; `recognition` is None where nothing was said.

    One whose beginning `is_told` is owed even without words.
    """

    spoken: UtteranceSpan
    recognition: Recognition | None
    from_finalize: bool
    is_told: bool = True
    ended: float = field(default_factory=time.monotonic)


class Utterances:
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
        self._stream = _stream(options)
        self._position = 0  # samples
        self._interims = Interims(self._stream, recogniser, metrics, options, self._hear_words, wake)
        self._speculation = Speculation(options, metrics, wake)
        self._quiet = SilenceTracker(options)
        self._due: asyncio.Queue[PendingFinal | UtteranceEnd | None] = asyncio.Queue(MOST_FINALS)
        self._undelivered = 0  # of what is due
        self._ran_on_from: float | None = None  # seconds: where sound ran on after an utterance had come to its end
        self._is_told = True  # that the open utterance has begun
        self._started = 0.0  # seconds: the last beginning that was told

    async def hear(self, samples: Pcm) -> None:
        """Take the next samples, at 16 kHz."""
        self._position += len(samples)
        await self._follow(self._stream.push(samples.astype("<i2").tobytes()))
        await self._tell_of_quiet()

    async def settle(self) -> None:
        """End the utterance whose speaker, as turned out meanwhile, has come to the end."""
        if self._speculation.expected is not None:
            await self._follow(self._stream.expect(self._speculation.expected))
        if cut := self._interims.standstill.cut:
            self._interims.standstill.forget()
            if events := self._stream.cut(cut.end, cut.start):
                self._ran_on_from = cut.start
                await self._follow(events)

    async def finalize(self) -> None:
        """The client says that the utterance is over: there will be one final, empty or not."""
        ended, heard = self._stream.flush()
        if ended or self._options.endpointing is None:
            await self._end(heard, "finalize")
        else:
            await self._end(Utterance(self._now, self._now, heard.samples[:0]), "finalize")

    async def finish(self, *, cut_off: bool = False) -> None:
        """There will be no more audio: see to it that `deliver` ends when all that is due is delivered.

        `cut_off`: there would be more, but the server is going down.
        """
        ended, heard = self._stream.flush()
        if ended or (self._options.endpointing is None and len(heard.samples)):
            await self._end(heard, "cut off" if cut_off else "close")
        elif not cut_off:
            await self._end_cut()
        await self._due.put(None)

    def close(self) -> None:
        """Give up all that is not delivered."""
        self._interims.end()
        self._speculation.forget()
        while not self._due.empty():
            due = self._due.get_nowait()
            if isinstance(due, PendingFinal) and due.recognition:
                due.recognition.cancel()

    async def deliver(self) -> None:
        """Send finals as they become ready, until `finish`."""
        while (due := await self._due.get()) is not None:
            if isinstance(due, UtteranceEnd):
                await self._send(due)
            else:
                await self._deliver_final(due)
            self._undelivered -= 1

    async def _follow(self, events: Iterable[tuple[Event, Utterance]]) -> None:
        for event, utterance in events:
            match event:
                case SpeechStarted():
                    await self._begin(utterance)
                case SpeechPaused(end=end):
                    self._quiet.pause(end * FRAME_SECONDS)
                    self._interims.pause(end * FRAME_SECONDS)
                    self._speculate(utterance)
                case SpeechResumed():
                    self._quiet.resume()
                    self._speculation.forget()
                    self._interims.resume(utterance.end)
                case UtteranceEnded(ended_by="longest"):
                    await self._end(utterance, "longest")
                case UtteranceEnded(ended_by="cut"):
                    await self._end_standstill(utterance)
                case UtteranceEnded():
                    await self._end(utterance, "silence")

    async def _begin(self, utterance: Utterance) -> None:
        """What begins where sound ran on may be music: it is told once it has words."""
        self._interims.begin()
        runs_on = self._ran_on_from is not None and abs(utterance.start - self._ran_on_from) < FRAME_SECONDS
        self._is_told = not runs_on
        if self._is_told:
            await self._tell_begin(utterance.start)

    async def _tell_begin(self, start: float) -> None:
        self._is_told = True
        self._quiet.begin()
        await self._tell_speech_started(start)

    async def _tell_speech_started(self, start: float) -> None:
        """Unless it has been told of a later one."""
        if self._options.vad_events and start >= self._started:
            self._started = start
            await self._send(SpeechStartedMessage(timestamp=start))

    def _speculate(self, utterance: Utterance) -> None:
        """Recognise what may be the whole utterance: when it turns out to be, its final is there.

        Where others wait, this does so for as long as they do: most pauses are over by then.
        """
        self._speculation.begin(lambda: self._recognise(utterance, self._interims.stable), self._recogniser.delay)

    async def _end(self, utterance: Utterance, ended_by: EndedBy) -> None:
        recognition = self._speculation.take()
        if not recognition and len(utterance.samples):
            # What was stable may lie beyond a cut, and comes with the next utterance.
            recognition = self._recognise(utterance, "" if ended_by == "longest" else self._interims.stable)
        self._interims.end()
        self._metrics.utterances.labels(ended_by).inc()
        self._metrics.audio_seconds.inc(utterance.end - utterance.start)
        self.utterances += 1
        is_cut, cut_off = ended_by == "longest", ended_by == "cut off"
        speech_end = self._quiet.end(utterance.end, is_cut=is_cut)
        spoken = UtteranceSpan(utterance.start, utterance.end, speech_end, is_cut, cut_off)
        is_told, self._is_told = self._is_told or ended_by == "finalize", True
        await self._put(PendingFinal(spoken, recognition, ended_by == "finalize", is_told))

    async def _end_standstill(self, utterance: Utterance) -> None:
        """The speaker has come to the end, though music or a television runs on.

        What was recognised in a pause reaches beyond that, and is heard again without.
        """
        self._speculation.forget()
        self._quiet.resume()
        await self._end(utterance, "standstill")

    async def _end_cut(self) -> None:
        """Where an utterance was cut for its length, and nobody went on: say so, for its final could not."""
        if (cut_at := self._quiet.cut_at) is not None:
            self._quiet.end_cut()
            await self._put(PendingFinal(UtteranceSpan(cut_at, cut_at, cut_at), None, from_finalize=False))

    async def _put(self, due: PendingFinal | UtteranceEnd) -> None:
        self._undelivered += 1
        try:
            await self._due.put(due)
        except asyncio.CancelledError:
            if isinstance(due, PendingFinal) and due.recognition:
                due.recognition.cancel()
            raise

    def _recognise(self, utterance: Utterance, stable: str) -> Recognition:
        recognition = asyncio.create_task(self._recogniser.final(utterance.samples, stable))
        # What fails is told where it is delivered; what is thrown away may fail unheard.
        recognition.add_done_callback(lambda task: task.cancelled() or task.exception())
        return recognition

    async def _deliver_final(self, due: PendingFinal) -> None:
        heard = None
        try:
            heard = await due.recognition if due.recognition else None
        except Exception as error:
            if due.is_told:
                body = error_body(api_error(error, self._metadata.request_id))
                await self._send(Error.of(body))
        waited = time.monotonic() - due.ended
        self._metrics.final_wait_seconds.observe(waited)
        if heard:
            self._count(heard)
            self._recogniser.note(heard)
        if not due.is_told:
            if not (heard and heard.transcript.text):
                return
            await self._tell_speech_started(due.spoken.start)
            self._quiet.end_late(due.spoken.speech_end)
        await self._send(
            results.final(due.spoken, heard, self._metadata, from_finalize=due.from_finalize, waited=waited)
        )

    def _count(self, heard: UtteranceResult) -> None:
        self._metrics.verdicts.labels(heard.transcript.quality.verdict).inc()
        for stage, seconds in heard.stages.items():
            self._metrics.stage_seconds.labels(stage).observe(seconds)

    async def _hear_words(self, partial: Partial, heard: UtteranceResult, utterance: Utterance) -> bool:
        """Whether an interim was sent, which may not come before the finals of earlier utterances."""
        if not self._is_told:
            await self._tell_begin(utterance.start)
        if self._undelivered or not self._options.interim_results:
            return False
        await self._send(results.interim(partial, heard, utterance.start, utterance.end, self._metadata))
        return True

    async def _tell_of_quiet(self) -> None:
        if self._quiet.ends_cut(self._now):
            await self._end_cut()
        if (last_word := self._quiet.utterance_end(self._now)) is not None:
            await self._put(UtteranceEnd(last_word_end=round(last_word, 3)))

    @property
    def _now(self) -> float:
        """In seconds of the stream."""
        return self._position / SAMPLE_RATE


def _stream(options: ListenOptions) -> UtteranceStream:
    if options.endpointing is None:
        return UtteranceStream(EndpointerOptions(pause=PAUSE_SECONDS, ends_by_silence=False))
    return UtteranceStream(EndpointerOptions(hangover=options.hangover_ms / 1000, pause=PAUSE_SECONDS))
