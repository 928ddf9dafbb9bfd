"""The engine: one thread owns the model and works off a bounded queue of jobs.

A job is one clip, as one or more windows of log-mel. Windows of different clips take turns, so that a long
recording does not keep a short query waiting. A job that is cancelled leaves the queue at once, or stops at the
next token.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from asr.checkpoints import Checkpoint
from asr.decoding import DecodedWindow, DecodingCancelled, DecodingOptions, WindowDecoder
from asr.errors import EngineBusy, EngineClosed

logger = logging.getLogger(__name__)

STOP_SECONDS = 10.0  # that a cancelled job may take to notice: one window's encoding at the longest


@dataclass(frozen=True)
class DecodedClip:
    """A job's answer: its windows in order, and the seconds it waited before work on it began."""

    windows: tuple[DecodedWindow, ...]
    queue_seconds: float


@dataclass(eq=False)
class Job:
    """One clip's whole state in the engine; `windows` are log-mel, each of shape (n_mels, 3000)."""

    windows: Sequence[Tensor]
    options: DecodingOptions
    future: "Future[DecodedClip]" = field(default_factory=Future)
    submitted: float = field(default_factory=time.monotonic)
    queue_seconds: float | None = None
    decoded: list[DecodedWindow] = field(default_factory=list)


class Engine:
    """Runs a checkpoint in a thread of its own.

    `threads` is how many CPU threads the model's arithmetic takes (None: all that the process may use);
    `max_queue` how many jobs may wait. Use as a context manager, or `close` it.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        decoder: WindowDecoder | None = None,
        max_queue: int = 64,
        threads: int | None = None,
    ) -> None:
        self.checkpoint = checkpoint
        self.max_queue = max_queue
        self._encoder = checkpoint.model.encoder
        self._decoder = decoder or WindowDecoder(checkpoint)
        self._threads = threads
        self._queue: deque[Job] = deque()
        self._running: Job | None = None
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="sayseek-engine", daemon=True)
        self._thread.start()

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def queue_depth(self) -> int:
        """Jobs that wait; the one being worked on is not counted."""
        return len(self._queue)

    def submit(self, windows: Sequence[Tensor], options: DecodingOptions) -> "Future[DecodedClip]":
        """Queue a clip. Cancelling the future drops it, waiting or running.

        Raises EngineBusy when the queue is full and EngineClosed after `close`.
        """
        job = Job(windows, options)
        with self._changed:
            if self._closed:
                raise EngineClosed("The server is shutting down. Try again in a moment.")
            if len(self._queue) >= self.max_queue:
                raise EngineBusy(f"{len(self._queue)} clips are waiting already. Try again in a moment.")
            self._queue.append(job)
            self._changed.notify()
        job.future.add_done_callback(lambda future: self._drop(job) if future.cancelled() else None)
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
            unfinished = [job for job in (self._running, *self._queue) if job]
        for job in unfinished:
            job.future.cancel()
        # The thread stops at the next token; a process that ended meanwhile would be aborted inside torch.
        self._thread.join(STOP_SECONDS)
        return not unfinished

    def _drop(self, job: Job) -> None:
        with self._changed:
            if job in self._queue:
                self._queue.remove(job)

    def _run(self) -> None:
        torch.set_num_threads(self._threads or torch.get_num_threads())
        while (job := self._next_job()) is not None:
            try:
                self._step(job)
            except DecodingCancelled:
                pass
            except Exception as error:
                logger.exception("recognition failed")
                _resolve(job.future, error)

    def _next_job(self) -> Job | None:
        """Wait for a job; None when the engine is closed and nothing is left."""
        with self._changed:
            self._running = None
            self._changed.wait_for(lambda: self._queue or self._closed)
            self._running = self._queue.popleft() if self._queue else None
            return self._running

    def _step(self, job: Job) -> None:
        """Decode the job's next window, then let it queue again or answer it."""
        if job.queue_seconds is None:
            job.queue_seconds = time.monotonic() - job.submitted
        job.decoded.append(self._decode(job.windows[len(job.decoded)], job))
        if len(job.decoded) == len(job.windows):
            _resolve(job.future, DecodedClip(tuple(job.decoded), job.queue_seconds))
            return
        with self._changed:
            if not job.future.cancelled():
                self._queue.append(job)

    @torch.inference_mode()
    def _decode(self, window: Tensor, job: Job) -> DecodedWindow:
        if job.future.cancelled():
            raise DecodingCancelled
        started = time.monotonic()
        encoded = self._encoder(window[None])
        encoded_at = time.monotonic()
        decoded = self._decoder.decode(encoded, job.options, job.future.cancelled)
        return replace(decoded, encode_seconds=encoded_at - started, decode_seconds=time.monotonic() - encoded_at)


def _resolve(future: "Future[DecodedClip]", outcome: DecodedClip | Exception) -> None:
    try:
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
    except InvalidStateError:
        pass  # cancelled in the meantime
