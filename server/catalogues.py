"""The catalogues of one server, by their names: opened in the background, and tried again while a database is away."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from asr.decoding.contextual_bias import PhraseTrie
from asr.whisper.tokenizer import Tokenizer
from pipeline.expected_names import CatalogueHotwords
from search.catalogue import sample_cities
from search.catalogue.schema import Schema
from search.configuration import CatalogueOptions, Configuration, read_configuration
from search.errors import IndexAway, IndexBusy, IndexUnavailable
from search.index import SearchIndex
from search.opening import open_index
from server.errors import ApiError, busy
from server.settings import Settings
from server.threads import in_daemon_thread, in_pool

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

ONLY = "default"  # the catalogue's name where the owner names none
READERS = 2
MAX_WRITES = 8  # that may run or wait; each holds an upload
RETRY_SECONDS = 5.0  # from one try to open an index to the next
READ_SECONDS = 20.0  # that a search may wait for a thread and take; a database that hangs has it wait for 12
STATE_SECONDS = 2.0  # that an index may take to say how many documents it has


def configured(settings: Settings) -> Configuration:
    """The catalogues that the settings name. Raises InvalidConfiguration."""
    if settings.catalogues:
        return read_configuration(settings.catalogues)
    return Configuration(ONLY, {ONLY: CatalogueOptions(settings.index)})


@dataclass(frozen=True)
class State:
    """How many documents an index has, None where it cannot be used now, and what is done with their fields."""

    documents: int | None
    schema: Schema


class Catalogue:
    """One of them. It has threads of its own: a database that does not answer holds up nobody else.

    A long import must not hold up a spoken query, neither: those who write have another thread than those who read.
    """

    def __init__(
        self, name: str, options: CatalogueOptions, *, with_sample: bool = False, expected_names: int = 0
    ) -> None:
        self.name = name
        self.options = options
        self._with_sample = with_sample
        self._expected_names = expected_names
        self._tokenizer: Tokenizer | None = None
        self._names: CatalogueHotwords | None = None
        self._index: SearchIndex | None = None
        self._away: IndexAway | None = None
        self._readers = ThreadPoolExecutor(READERS, f"sayseek-search-{name}")
        self._writer = ThreadPoolExecutor(1, f"sayseek-writer-{name}")
        self._writes = 0

    @property
    def index(self) -> SearchIndex:
        """Raises ApiError (503) until it is open, and IndexAway while that cannot be."""
        if self._index is None:
            if self._away:
                raise IndexAway(str(self._away), self._away.reason)
            raise busy("The search index is still opening. Try again in a moment.", 2, code="not_ready")
        return self._index

    @property
    def names(self) -> PhraseTrie | None:
        """What the decoder is to expect to hear, if anything."""
        if self._names is None and self._index and self._tokenizer:
            self._names = CatalogueHotwords(self._index, self._tokenizer, self._expected_names)
        return self._names.trie if self._names else None

    async def expect_names(self, tokenizer: Tokenizer) -> None:
        """Have the decoder expect its titles: from now on where it is open, and else soon after it is."""
        self._tokenizer = tokenizer
        if self._index:
            names = CatalogueHotwords(self._index, tokenizer, self._expected_names)
            try:
                await in_daemon_thread(names.read)
            except IndexUnavailable as error:
                logger.warning("catalogue %s: its names cannot be read: %s", self.name, error)
            self._names = names

    async def open(self) -> bool:
        """Open the index; whether it is there. Raises IndexUnavailable where trying again will not help."""
        try:
            self._index = await in_daemon_thread(_opened, self.options, self._with_sample)
        except (IndexAway, IndexBusy) as error:
            self._note(IndexAway(str(error), error.reason))
        except IndexUnavailable as error:
            raise IndexUnavailable(f'catalogue "{self.name}": {error}', error.reason) from error
        return self._index is not None

    async def open_when_it_is_back(self) -> None:
        """Try until it is open, whatever else turns out to be wrong with it: its owner may mend that meanwhile."""
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            try:
                if await self.open():
                    logger.info("catalogue %s is back", self.name)
                    return
            except IndexUnavailable as error:
                self._note(IndexAway(str(error), error.reason))

    def _note(self, away: IndexAway) -> None:
        if str(self._away) != str(away):
            logger.warning("catalogue %s is away, and is tried again: %s", self.name, away)
        self._away = away

    async def reading(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a search or a look-up off the event loop. Raises IndexUnavailable where that takes too long."""
        try:
            async with asyncio.timeout(READ_SECONDS):
                return await in_pool(self._readers, function, *args, **kwargs)
        except TimeoutError:
            message = f'catalogue "{self.name}" did not answer in {READ_SECONDS:g} s'
            raise IndexUnavailable(message, "the catalogue takes too long to answer") from None

    async def writing(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a change off the event loop, one after the other. Raises ApiError (503) when many wait already."""
        if self._writes >= MAX_WRITES:
            raise busy("Many changes of the catalogue are waiting already. Try again in a moment.", 2)
        self._writes += 1
        try:
            return await in_pool(self._writer, function, *args, **kwargs)
        finally:
            self._writes -= 1

    async def state(self) -> State:
        """How it is now; one that does not tell soon is not there."""
        try:
            async with asyncio.timeout(STATE_SECONDS):
                return await self.reading(_state, self.index)
        except (ApiError, IndexUnavailable, TimeoutError) as error:
            logger.warning("catalogue %s cannot be asked: %s", self.name, error)
            return State(None, self.options.schema or Schema())

    async def close(self) -> None:
        if self._index:
            await asyncio.to_thread(self._index.close)
        for threads in (self._readers, self._writer):
            threads.shutdown(wait=False, cancel_futures=True)


class Catalogues:
    """All of them."""

    def __init__(self, settings: Settings) -> None:
        """Raises InvalidConfiguration."""
        configuration = configured(settings)
        with_sample = settings.sample_catalogue and not settings.catalogues
        self.default = configuration.default
        self._by_name = {
            name: Catalogue(name, options, with_sample=with_sample, expected_names=settings.expected_names)
            for name, options in configuration.catalogues.items()
        }
        self._waiting: list[asyncio.Task[None]] = []

    def __iter__(self) -> Iterator[Catalogue]:
        return iter(self._by_name.values())

    def named(self, name: str | None) -> Catalogue:
        """The catalogue that a request names, or the default one. Raises ApiError (404)."""
        catalogue = self._by_name.get(name or self.default)
        if catalogue is None:
            message = f"There is no index {name!r:.100} here; there is {', '.join(self._by_name)}."
            raise ApiError(404, "index_not_found", message, param="index")
        return catalogue

    async def states(self) -> dict[str, State]:
        """By their names how they are now."""
        states = await asyncio.gather(*(catalogue.state() for catalogue in self))
        return {catalogue.name: state for catalogue, state in zip(self, states, strict=True)}

    async def open(self) -> None:
        """Open all that are there, and go on trying with those that are away. Raises IndexUnavailable."""
        catalogues = list(self)
        are_open = await asyncio.gather(*(catalogue.open() for catalogue in catalogues))
        self._waiting = [
            asyncio.create_task(catalogue.open_when_it_is_back())
            for catalogue, is_open in zip(catalogues, are_open, strict=True)
            if not is_open
        ]

    async def expect_names(self, tokenizer: Tokenizer) -> None:
        """Have the decoder expect the titles of each."""
        await asyncio.gather(*(catalogue.expect_names(tokenizer) for catalogue in self))

    async def close(self) -> None:
        for task in self._waiting:
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)
        for catalogue in self:
            await catalogue.close()


def _state(index: SearchIndex) -> State:
    return State(index.count(), index.schema)


def _opened(options: CatalogueOptions, with_sample: bool) -> SearchIndex:
    index = open_index(options.index, options.schema)
    if with_sample and not index.count():
        started = time.monotonic()
        logger.info("building the sample catalogue's index: the world's cities")
        # The fields first, while there is nothing: whoever puts documents meanwhile keeps them. Another server that
        # starts on the same database may have done so, and have indexed the cities by now.
        if index.schema.layout != sample_cities.SCHEMA.layout:
            index.replace((), sample_cities.SCHEMA)
        count = index.upsert(sample_cities.documents())
        logger.info("indexed %d cities in %.1f s", count, time.monotonic() - started)
    return index
