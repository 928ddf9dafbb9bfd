"""The parts that a running server is made of, loaded in the background and closed in order."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from asr.audio.decode import AudioLimits
from asr.audio.workers import AudioWorkers
from asr.engine.replicas import Replicas
from asr.errors import AsrError
from asr.runtime.choose import shares_here
from asr.transcriber import Transcriber
from pipeline.model import load_replicas
from search.errors import SearchError
from server.admission import Admission
from server.catalogues import Catalogues
from server.errors import busy
from server.listeners import MOST_FINALS, Listeners
from server.metrics import Metrics
from server.settings import Settings
from server.threads import in_daemon_thread, in_pool, is_loading

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

LIVE_THREADS = 2


class Services:
    """What the routes work with. `transcriber`, and the index of each catalogue, raise 503 until they are loaded."""

    def __init__(self, settings: Settings, on_failure: Callable[[Exception], None] | None = None) -> None:
        """Raises InvalidConfiguration."""
        self.settings = settings
        self.catalogues = Catalogues(settings)
        self.shares = shares_here(settings.replicas, settings.threads)
        self.metrics = Metrics()
        self.admission = Admission(settings.max_queue, settings.queue_wait, settings.max_delay)
        self.listeners = Listeners(settings.max_listeners)
        self.metrics.watch("listeners", "Live connections that are open.", lambda: len(self.listeners))
        self.metrics.watch(
            "queue_depth", "Clips in work or waiting.", lambda: self.admission.taken + self.admission.waiting
        )
        self.ready = asyncio.Event()
        self.failure: Exception | None = None
        self._on_failure = on_failure
        self._transcriber: Transcriber | None = None
        self._audio_workers: AudioWorkers | None = None
        self._loading: asyncio.Task[None] | None = None
        # Each kind of blocking work has threads of its own; each catalogue has, too.
        self._audio_threads = ThreadPoolExecutor(self.shares.audio_workers, "sayseek-audio")
        self._live_threads = ThreadPoolExecutor(LIVE_THREADS, "sayseek-live")

    @property
    def transcriber(self) -> Transcriber:
        if self._transcriber is None:
            raise busy("The model is still loading. Try again in a moment.", 2, code="not_ready")
        return self._transcriber

    async def in_audio_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run blocking work on audio off the event loop."""
        return await in_pool(self._audio_threads, function, *args, **kwargs)

    async def in_live_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run milliseconds of work for a listener off the event loop; nothing here waits for a file."""
        return await in_pool(self._live_threads, function, *args, **kwargs)

    @property
    def is_loading(self) -> bool:
        """Whether a thread still loads the model or an index, wanted or not."""
        return is_loading()

    def start(self) -> None:
        """Begin to load; /healthz answers meanwhile."""
        self._loading = asyncio.create_task(self._load())

    async def close(self) -> None:
        """Free everything. Work in flight has been finished or given up by now."""
        if self._loading:
            self._loading.cancel()
            await asyncio.gather(self._loading, return_exceptions=True)
        if self._transcriber:
            await asyncio.to_thread(self._transcriber.engine.close, 0)
        if self._audio_workers:
            await asyncio.to_thread(self._audio_workers.close)
        await self.catalogues.close()
        for threads in (self._audio_threads, self._live_threads):
            threads.shutdown(wait=False, cancel_futures=True)

    async def _load(self) -> None:
        try:
            limits = AudioLimits(self.settings.max_audio_seconds)
            self._audio_workers = AudioWorkers(self.shares.audio_workers, limits)
            await self.catalogues.open()
            # Admission and the listeners let no more in than one engine's queue holds: its own bound is never met.
            max_queue = self.settings.max_queue + self.settings.max_listeners * MOST_FINALS
            replicas = await in_daemon_thread(load_replicas, self.settings, self.shares, max_queue=max_queue)
            await self.catalogues.expect_names(replicas.checkpoint.tokenizer)
            self._transcriber = Transcriber(
                replicas,
                languages=self.settings.languages,
                decode=self._audio_workers.decode,
                unsure_below=self.settings.unsure_below,
            )
            self._watch_replicas(replicas)
        except Exception as error:
            self.failure = error
            logger.error("start failed: %s", error, exc_info=not is_expected(error))
            if self._on_failure:
                self._on_failure(error)
            return
        self.ready.set()

    def _watch_replicas(self, replicas: Replicas) -> None:
        watch = self.metrics.watch
        watch_total = self.metrics.watch_total
        watch_total("windows_heard", "Windows of up to 30 s that were recognised.", lambda: replicas.windows_heard)
        watch_total("windows_doubted", "Of them, heard again with all their silence.", lambda: replicas.windows_doubted)
        watch("replicas", "Engines that share the model's work.", lambda: replicas.count)
        watch("replicas_resting", "Of them, those that failed a moment ago.", lambda: replicas.resting)
        watch("threads", "CPU threads of each replica.", lambda: self.shares.threads)


def is_expected(error: Exception) -> bool:
    """Whether the message alone tells the owner what to mend."""
    return isinstance(error, AsrError | SearchError)
