"""The engine: one thread owns the model and works on many clips at once.

A job is a clip to be heard, or texts to be scored against one that was. A turn is schedule → run → postprocess. A clip
joins between two steps of the decoder, as soon as its window has been encoded, and leaves in the step in which it ends,
fails or is cancelled. Between turns a job is among those that the scheduler has reading if, and only if, there is
something of it to be read.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from asr.audio.comfort_noise import with_comfort_noise
from asr.audio.decode import SAMPLE_RATE, Samples
from asr.audio.features import frame_count, log_mel_spectrogram
from asr.decoding.forced_scoring import TextScoring
from asr.decoding.hallucination import is_hallucination, needs_fallback
from asr.decoding.hypothesis import DecodedWindow, DecodingOptions
from asr.decoding.rules import Rules
from asr.decoding.stable_prefix import begins_with
from asr.decoding.stepper import AudioContext, Row
from asr.decoding.window import WindowDecoding
from asr.engine.jobs import DecodedClip, Job, ScoringJob, TranscriptionJob, WindowInFlight
from asr.engine.scheduler import ScheduledBatch, Scheduler
from asr.errors import EngineBusy, EngineClosed, RecognitionFailed
from asr.runtime.choose import Backend
from asr.runtime.measuring import Measured
from asr.transcript import Likelihood
from asr.whisper.checkpoints import Checkpoint

logger = logging.getLogger(__name__)

STOP_SECONDS = 10.0  # that the turn in which everything is cancelled may take


class Engine:
    """Runs a checkpoint in a thread of its own.

    `compute` says with which arithmetic; `max_queue` how many jobs may wait; `whole_windows` has every window encoded
    with all of its 30 s, as the model was trained; `threads` is asked before each turn how many are to
    compute. Use as a context manager, or `close` it.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        compute: Backend | None = None,
        *,
        max_queue: int = 64,
        whole_windows: bool = False,
        threads: Callable[[], int] | None = None,
    ) -> None:
        self.checkpoint = checkpoint
        self.compute = compute or Backend.plain(checkpoint)
        self._threads = threads or (lambda: self.compute.threads)
        self.max_queue = max_queue
        self.whole_windows = whole_windows
        self.busy_seconds = 0.0
        self.hearings = 0  # of windows, finished or given up, that this time went into
        self.windows_heard = 0
        self.windows_doubted = 0  # and heard a second time, whole
        self._rules = Rules.of(checkpoint, self.compute.device)
        self._scheduler: Scheduler[Job] = Scheduler(self.compute.sequences, self.compute.encode_at_once)
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="sayseek-engine", daemon=True)
        self._thread.start()

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def measured(self) -> Measured | None:
        """By what the arithmetic was chosen; None where there was no choice."""
        return self.compute.measured

    @property
    def queue_depth(self) -> int:
        """Jobs that wait; those being worked on, and those that can be deferred, are not counted."""
        return len(self._scheduler.waiting)

    @property
    def has_work(self) -> bool:
        return self._scheduler.has_work

    def submit(
        self, windows: Sequence[Samples], options: DecodingOptions, *, deferrable: bool = False
    ) -> "Future[DecodedClip]":
        """Queue a clip, as windows of at most 30 s of samples at 16 kHz.

        Cancelling the future drops it, waiting or running. One that is `deferrable` is begun only while no other
        waits, and is not heard a second time where it was not heard well.

        Raises EngineBusy when the queue is full and EngineClosed after `close`.
        """
        job = TranscriptionJob(windows, options, self._hearing(windows[0]), deferrable)
        with self._changed:
            if self._closed:
                raise EngineClosed("The server is shutting down. Try again in a moment.")
            depth = len(self._scheduler.deferred) if deferrable else self.queue_depth
            if depth >= self.max_queue:
                raise EngineBusy(f"{depth} clips are waiting already. Try again in a moment.")
            self._scheduler.add(job, deferrable=deferrable)
            self._changed.notify()
        job.future.add_done_callback(lambda future: self._drop_waiting(job) if future.cancelled() else None)
        return job.future

    def score(self, audio: AudioContext, language: str, texts: Sequence[str]) -> "Future[list[Likelihood]]":
        """How likely each text is for audio that this engine has heard, before all that waits: its clip had its turn.

        Cancelling the future drops it. Raises EngineClosed after `close`.
        """
        job = ScoringJob(audio, language, texts)
        with self._changed:
            if self._closed:
                raise EngineClosed("The server is shutting down. Try again in a moment.")
            self._scheduler.add_first(job)
            self._changed.notify()
        job.future.add_done_callback(lambda future: self._drop_waiting(job) if future.cancelled() else None)
        return job.future

    def close(self, timeout: float | None = None) -> bool:
        """Take no more jobs and finish those there are; after `timeout` seconds, cancel the rest.

        Gives whether everything was finished.
        """
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(timeout)
        with self._changed:
            unfinished = [*self._scheduler.reading, *self._scheduler.queued]
        for job in unfinished:
            job.future.cancel()
        # The thread stops after its turn; a process that ended meanwhile would be aborted inside torch.
        self._thread.join(STOP_SECONDS)
        return not unfinished

    def _drop_waiting(self, job: Job) -> None:
        """A cancelled job that waits leaves at once; one that is being read is left to the engine's next turn."""
        with self._changed:
            if job in self._scheduler.queued:
                self._scheduler.remove(job)

    def _run(self) -> None:
        if self.compute.device.type == "cuda":
            torch.cuda.set_device(self.compute.device)  # of this thread: graphs and streams belong to one
        with torch.inference_mode():
            while (turn := self._next_turn()) is not None:
                started = time.monotonic()
                torch.set_num_threads(self._threads())
                self._encode([job for job in turn.encode if isinstance(job, TranscriptionJob)])
                self._begin_scoring([job for job in turn.encode if isinstance(job, ScoringJob)])
                self._read([job for job in turn.read if job.reading])  # without those that failed just now
                self.busy_seconds += time.monotonic() - started

    def _next_turn(self) -> ScheduledBatch[Job] | None:
        """Wait for work; None when the engine is closed and nothing is left."""
        with self._changed:
            for job in [*self._scheduler.reading, *self._scheduler.queued]:
                if job.future.cancelled():
                    self._leave(job)
            self._changed.wait_for(lambda: self._scheduler.has_work or self._closed)
            return self._scheduler.next_turn() if self._scheduler.has_work else None

    def _hearing(self, samples: Samples) -> WindowInFlight:
        whole = self.whole_windows
        return WindowInFlight(samples, None if whole else self.compute.encoder.frames(frame_count(len(samples))))

    def _begin_scoring(self, jobs: Sequence[ScoringJob]) -> None:
        for job in jobs:
            try:
                job.reading = TextScoring(self.compute.stepper, job.audio, self._rules, job.language, job.texts)
                if job.reading.finished:
                    self._finish(job)
            except Exception as error:
                self._fail([job], error)

    def _encode(self, jobs: Sequence[TranscriptionJob]) -> None:
        """Encode the windows of jobs of one kind; they are read from the next step on."""
        if not jobs:
            return
        started = time.monotonic()
        for job in jobs:
            if job.queue_seconds is None:
                job.queue_seconds = started - job.submitted
        try:
            audios = self._heard([job.hearing for job in jobs])
        except Exception as error:
            self._fail_encoding(jobs, error)
            return
        for job, audio in zip(jobs, audios, strict=True):
            self._begin(job, audio)
            job.hearing.encoded_at = time.monotonic()
            job.hearing.encode_seconds += job.hearing.encoded_at - started

    def _begin(self, job: TranscriptionJob, audio: AudioContext) -> None:
        try:
            seconds = len(job.hearing.samples) / SAMPLE_RATE
            job.hearing.decoding = WindowDecoding(self.compute.stepper, audio, self._rules, job.options, seconds)
        except Exception as error:
            self._fail([job], error)

    def _heard(self, hearings: Sequence[WindowInFlight]) -> list[AudioContext]:
        """Windows of one kind, as the decoder looks at them."""
        n_mels, device = self.checkpoint.model.dims.n_mels, self.compute.device
        mels = [log_mel_spectrogram(hearing.samples, n_mels, device) for hearing in hearings]
        encoder = self.compute.encoder
        windows = encoder.encode_whole(mels) if hearings[0].whole else encoder.encode(mels)
        return [self.compute.stepper.hear(window) for window in windows]

    def _fail_encoding(self, jobs: Sequence[TranscriptionJob], error: Exception) -> None:
        """Those that cannot be encoded together are encoded one by one: only what is at fault itself fails."""
        if len(jobs) == 1:
            self._fail(jobs, error)
            return
        logger.warning("%d windows are encoded one by one: %s", len(jobs), error)
        for job in jobs:
            self._encode([job])

    def _read(self, jobs: Sequence[Job]) -> None:
        """Read for all jobs one step further, and answer those that have come to their end."""
        read = [(job, job.reading, rows) for job in jobs if job.reading and (rows := self._rows(job, job.reading))]
        if not read:
            return
        try:
            choices = iter(self.compute.stepper.step([row for *_, rows in read for row in rows]))
        except Exception as error:
            self._fail([job for job, *_ in read], error)
            return
        for job, reading, rows in read:
            chosen = [next(choices) for _ in rows]
            try:
                reading.take(chosen)
                if reading.finished:
                    self._finish(job)
            except Exception as error:
                self._fail([job], error)

    def _rows(self, job: Job, reading: WindowDecoding | TextScoring) -> Sequence[Row]:
        """What it has to be read next; none where it fails, as where there is no memory for the sequences of texts."""
        try:
            return reading.rows()
        except Exception as error:
            self._fail([job], error)
            return ()

    def _finish(self, job: Job) -> None:
        if isinstance(job, TranscriptionJob) and job.hearing.decoding:
            self._finish_window(job, job.hearing.decoding)
        elif isinstance(job, ScoringJob) and job.reading:
            likelihoods = job.reading.result()
            with self._changed:
                self._leave(job)
            _resolve(job.future, likelihoods)

    def _finish_window(self, job: TranscriptionJob, decoding: WindowDecoding) -> None:
        """Have it read or heard again if need be; else give up its seats, and go on to the next window or answer."""
        seconds = len(job.hearing.samples) / SAMPLE_RATE
        window = replace(decoding.result(), doubted=job.hearing.doubted, seconds=seconds)
        doubted = not job.hearing.whole and not job.deferrable and needs_fallback(window)
        if not doubted and not begins_with(window.best.text, job.options.stable):
            self._read_again(job, decoding)
            return
        samples = with_comfort_noise(job.hearing.samples) if doubted else job.hearing.samples
        with self._changed:
            self._leave(job)
            job.hearing.decode_seconds += time.monotonic() - job.hearing.encoded_at
            if doubted:
                job.hearing.doubted = is_hallucination(window)
                self._hear_again(job, samples)
            else:
                self._keep(job, window)
        if job.finished:
            keeps = job.options.keeps_audio and len(job.windows) == 1
            score = partial(self.score, decoding.audio, window.language) if keeps else None
            _resolve(job.future, DecodedClip(tuple(job.decoded), job.queue_seconds or 0.0, score))

    def _read_again(self, job: TranscriptionJob, contradiction: WindowDecoding) -> None:
        """With the stable words forced: it was read otherwise. It keeps its seats and is not encoded anew."""
        contradiction.close()
        forced = self.checkpoint.tokenizer.encode(job.options.stable)
        job.options = replace(job.options, forced=forced, stable="")
        self._begin(job, contradiction.audio)

    def _hear_again(self, job: TranscriptionJob, samples: Samples) -> None:
        job.hearing.frames = None
        job.hearing.samples = samples
        self.windows_doubted += 1
        self._scheduler.add_first(job)

    def _keep(self, job: TranscriptionJob, window: DecodedWindow) -> None:
        """Take down what a window says, and queue for the next."""
        self.windows_heard += 1
        spent = job.hearing
        job.decoded.append(replace(window, encode_seconds=spent.encode_seconds, decode_seconds=spent.decode_seconds))
        job.options = replace(job.options, forced=(), stable="")
        if not job.finished:
            job.hearing = self._hearing(job.windows[len(job.decoded)])
            self._scheduler.add(job, deferrable=job.deferrable)

    def _fail(self, jobs: Sequence[Job], error: Exception) -> None:
        logger.error("recognition failed", exc_info=error)
        for job in jobs:
            with self._changed:
                self._leave(job)
            failure = RecognitionFailed(f"The model failed: {error}")  # each its own: whoever raises one marks it
            failure.__cause__ = error
            _resolve(job.future, failure)

    def _leave(self, job: Job) -> None:
        """Free all that a job holds."""
        self._scheduler.remove(job)
        if not (reading := job.reading):
            return
        if isinstance(job, TranscriptionJob):
            self.hearings += 1
            job.hearing.decoding = None
        else:
            job.reading = None
        reading.close()


def _resolve(future: "Future[Any]", outcome: DecodedClip | list[Likelihood] | Exception) -> None:
    try:
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
    except InvalidStateError:
        pass  # cancelled in the meantime
