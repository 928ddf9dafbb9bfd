"""The parts that a running server is made of, loaded in the background and closed in order."""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

import search.cities
from asr.audio import AudioLimits
from asr.audio_workers import AudioWorkers
from asr.bias import PhraseTrie
from asr.checkpoints import load_checkpoint
from asr.compute import choose_computes, shares_here
from asr.errors import AsrError
from asr.replicas import Replicas
from asr.threads import Shares
from asr.transcriber import Transcriber
from search.errors import SearchError
from search.index import SearchIndex, open_index
from server.admission import Admission
from server.errors import busy
from server.live.listeners import MOST_FINALS, Listeners
from server.metrics import Metrics
from server.names import CatalogueNames
from server.settings import Settings

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

SEARCH_THREADS = 2
LIVE_THREADS = 2
MAX_WRITES = 8  # that may run or wait; each holds an upload
LOADING = "sayseek-loading"


class Services:
    """What the routes work with. `transcriber` and `index` raise 503 until they are loaded."""

    def __init__(self, settings: Settings, on_failure: Callable[[Exception], None] | None = None) -> None:
        self.settings = settings
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
        self._index: SearchIndex | None = None
        self._names: CatalogueNames | None = None
        self._audio_workers: AudioWorkers | None = None
        self._loading: asyncio.Task[None] | None = None
        # Each kind of blocking work has threads of its own: a long import must not hold up a spoken query.
        self._audio_threads = ThreadPoolExecutor(self.shares.audio_workers, "sayseek-audio")
        self._search_threads = ThreadPoolExecutor(SEARCH_THREADS, "sayseek-search")
        self._live_threads = ThreadPoolExecutor(LIVE_THREADS, "sayseek-live")
        self._writer_thread = ThreadPoolExecutor(1, "sayseek-writer")
        self._writes = 0

    @property
    def transcriber(self) -> Transcriber:
        if self._transcriber is None:
            raise busy("The model is still loading. Try again in a moment.", 2, code="not_ready")
        return self._transcriber

    @property
    def index(self) -> SearchIndex:
        if self._index is None:
            raise busy("The search index is still opening. Try again in a moment.", 2, code="not_ready")
        return self._index

    @property
    def names(self) -> PhraseTrie | None:
        """The names of the catalogue that are expected, if any."""
        return self._names.trie if self._names else None

    async def in_audio_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run blocking work on audio off the event loop."""
        return await _run(self._audio_threads, function, *args, **kwargs)

    async def in_live_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run milliseconds of work for a listener off the event loop; nothing here waits for a file."""
        return await _run(self._live_threads, function, *args, **kwargs)

    async def in_search_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a search or a look-up off the event loop."""
        return await _run(self._search_threads, function, *args, **kwargs)

    async def in_writer_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a change of the catalogue off the event loop, one after the other.

        Raises ApiError (503) when many wait already.
        """
        if self._writes >= MAX_WRITES:
            raise busy("Many changes of the catalogue are waiting already. Try again in a moment.", 2)
        self._writes += 1
        try:
            return await _run(self._writer_thread, function, *args, **kwargs)
        finally:
            self._writes -= 1

    @property
    def is_loading(self) -> bool:
        """Whether a thread still loads the model or the index, wanted or not."""
        return any(thread.name == LOADING for thread in threading.enumerate())

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
        if self._index:
            await asyncio.to_thread(self._index.close)
        for threads in (self._audio_threads, self._search_threads, self._live_threads, self._writer_thread):
            threads.shutdown(wait=False, cancel_futures=True)

    async def _load(self) -> None:
        try:
            limits = AudioLimits(self.settings.max_audio_seconds)
            self._audio_workers = AudioWorkers(self.shares.audio_workers, limits)
            self._index = await in_daemon_thread(open_catalogue, self.settings)
            replicas = await in_daemon_thread(load_replicas, self.settings, self.shares)
            self._names = CatalogueNames(self._index, replicas.checkpoint.tokenizer, self.settings.expected_names)
            await in_daemon_thread(self._names.read)
            self._transcriber = Transcriber(
                replicas, languages=self.settings.languages, decode=self._audio_workers.decode
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
        watch("windows_heard", "Windows of up to 30 s that were recognised.", lambda: replicas.windows_heard)
        watch("windows_doubted", "Of them, heard again with all their silence.", lambda: replicas.windows_doubted)
        watch("replicas", "Engines that share the model's work.", lambda: replicas.count)
        watch("replicas_resting", "Of them, those that failed a moment ago.", lambda: replicas.resting)
        watch("threads", "CPU threads of each replica.", lambda: self.shares.threads)


async def _run(threads: ThreadPoolExecutor, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    return await asyncio.get_running_loop().run_in_executor(threads, partial(function, *args, **kwargs))


async def in_daemon_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run work that may take minutes, such as a download, in a thread that does not keep the process from ending."""
    outcome: Future[T] = Future()

    def run() -> None:
        # Nobody waits any more where the server was stopped meanwhile.
        with contextlib.suppress(InvalidStateError):
            try:
                outcome.set_result(function(*args, **kwargs))
            except Exception as error:
                outcome.set_exception(error)

    threading.Thread(target=run, name=LOADING, daemon=True).start()
    return await asyncio.wrap_future(outcome)


def is_expected(error: Exception) -> bool:
    """Whether the message alone tells the owner what to mend."""
    return isinstance(error, AsrError | SearchError)


def open_catalogue(settings: Settings) -> SearchIndex:
    """Open the index, and fill an empty one with the sample catalogue if the settings say so."""
    index = open_index(settings.index)
    if settings.sample_catalogue and not index.count():
        started = time.monotonic()
        logger.info("building the sample catalogue's index: the world's cities")
        count = index.upsert(search.cities.documents())
        logger.info("indexed %d cities in %.1f s", count, time.monotonic() - started)
    return index


def load_replicas(settings: Settings, shares: Shares) -> Replicas:
    """Load the model and start its engines."""
    started = time.monotonic()
    checkpoint = load_checkpoint(settings.model, hub_cache=settings.hub_cache, offline=settings.offline)
    computes = choose_computes(checkpoint, settings.precision, shares, settings.compiled_code)
    # Admission and the listeners let no more in than one engine's queue holds: the engines' own bound is never met.
    max_queue = settings.max_queue + settings.max_listeners * MOST_FINALS
    replicas = Replicas(checkpoint, computes, max_queue=max_queue, whole_windows=settings.whole_windows)
    seconds = time.monotonic() - started
    logger.info("model %s loaded in %.1f s: %s", Path(settings.model).name, seconds, replicas.compute)
    return replicas
