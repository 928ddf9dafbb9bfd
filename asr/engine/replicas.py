"""Several engines as one: a clip goes to the one that has the least to do."""

import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from asr.audio.decode import Samples
from asr.decoding.hypothesis import DecodingOptions
from asr.engine.engine import Engine
from asr.engine.jobs import DecodedClip
from asr.runtime.choose import Backend
from asr.runtime.cpu_shares import THREADS
from asr.runtime.measuring import Measured
from asr.whisper.checkpoints import Checkpoint

logger = logging.getLogger(__name__)

REST_SECONDS = 10.0  # for which a replica that failed gets no clips, while there are others


@dataclass(eq=False)
class Replica:
    """An engine, the samples of audio that it has been given and not yet answered, and until when it rests."""

    engine: Engine
    samples: int = 0
    rests_until: float = -math.inf

    @property
    def rests(self) -> bool:
        return time.monotonic() < self.rests_until


def least_busy(replicas: Sequence[Replica]) -> Replica:
    """The policy: the replica with the least audio ahead; the first of equals, whose caches are warm.

    One that fails, such as a broken GPU, would always have the least ahead and draw all clips to it: it rests a while
    after each failure. Where all rest, all are tried.
    """
    awake = [replica for replica in replicas if not replica.rests]
    return min(awake or replicas, key=lambda replica: replica.samples)


class Replicas:
    """Engines for the same checkpoint, to be used as one `Engine`; each runs in a thread of its own.

    All computing threads together are shared by the replicas that have work: one alone has them all, up to `THREADS`.
    `max_queue` is how many clips may wait for each. Use as a context manager, or `close` it.
    """

    def __init__(
        self, checkpoint: Checkpoint, computes: Sequence[Backend], *, max_queue: int = 64, whole_windows: bool = False
    ) -> None:
        self.checkpoint = checkpoint
        self.whole_windows = whole_windows
        self.computes = tuple(computes)
        self._replicas: list[Replica] = []
        for compute in computes:
            engine = Engine(
                checkpoint, compute, max_queue=max_queue, whole_windows=whole_windows, threads=self._threads_of_each
            )
            self._replicas.append(Replica(engine))
        self._lock = threading.Lock()

    def __enter__(self) -> "Replicas":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def compute(self) -> str:
        """With which arithmetic the replicas run, where, and how many alike there are."""
        kinds = Counter(map(str, self.computes))
        return "; ".join(kind if count == 1 else f"{count} replicas, each {kind}" for kind, count in kinds.items())

    @property
    def measured(self) -> Measured | None:
        """By what the arithmetic was chosen, for all replicas alike; None where there was no choice."""
        return self.computes[0].measured

    @property
    def count(self) -> int:
        return len(self._replicas)

    @property
    def resting(self) -> int:
        """Replicas that failed a moment ago."""
        return sum(replica.rests for replica in self._replicas)

    @property
    def queue_depth(self) -> int:
        """Jobs that wait; those being worked on are not counted."""
        return sum(engine.queue_depth for engine in self._engines)

    @property
    def busy_seconds(self) -> float:
        """Seconds in which a replica was busy, on average over all of them.

        Under load, when all are busy at once, these are seconds on the clock: divided by `hearings` they tell how much
        longer a newcomer waits for every clip ahead, whichever replica that went to.
        """
        return sum(engine.busy_seconds for engine in self._engines) / self.count

    @property
    def hearings(self) -> int:
        """Of windows, finished or given up, by all replicas."""
        return sum(engine.hearings for engine in self._engines)

    @property
    def windows_heard(self) -> int:
        return sum(engine.windows_heard for engine in self._engines)

    @property
    def windows_doubted(self) -> int:
        """Windows that were heard a second time, whole."""
        return sum(engine.windows_doubted for engine in self._engines)

    @property
    def _engines(self) -> list[Engine]:
        return [replica.engine for replica in self._replicas]

    def submit(
        self, windows: Sequence[Samples], options: DecodingOptions, *, deferrable: bool = False
    ) -> "Future[DecodedClip]":
        """As `Engine.submit`, to the replica with the least to do."""
        samples = sum(map(len, windows))
        with self._lock:
            replica = least_busy(self._replicas)
            replica.samples += samples
        try:
            future = replica.engine.submit(windows, options, deferrable=deferrable)
        except Exception:
            self._take_back(replica, samples)
            raise
        future.add_done_callback(lambda future: self._note(replica, samples, future))
        return future

    def close(self, timeout: float | None = None) -> bool:
        """As `Engine.close`, of all at the same time."""
        with ThreadPoolExecutor(self.count) as threads:
            return all(list(threads.map(lambda engine: engine.close(timeout), self._engines)))

    def _threads_of_each(self) -> int:
        """With how many threads a replica that has work computes now."""
        at_work = sum(engine.has_work for engine in self._engines)
        in_all = sum(compute.threads for compute in self.computes)
        return max(self.computes[0].threads, min(THREADS, in_all // max(1, at_work)))

    def _take_back(self, replica: Replica, samples: int) -> None:
        with self._lock:
            replica.samples -= samples

    def _note(self, replica: Replica, samples: int, future: "Future[DecodedClip]") -> None:
        """A clip has left its replica: answered, failed or cancelled."""
        self._take_back(replica, samples)
        if future.cancelled():
            return
        if future.exception() and self.count > 1:
            logger.error("a replica failed (%s): others take its clips for %g s", replica.engine.compute, REST_SECONDS)
            replica.rests_until = time.monotonic() + REST_SECONDS
