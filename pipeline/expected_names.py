"""The names that the catalogue holds, as a trie for the decoder, kept up with the catalogue in the background."""

import logging
import threading
import time
from collections.abc import Hashable

from asr.decoding.contextual_bias import PhraseTrie
from asr.whisper.tokenizer import Tokenizer
from search.errors import SearchError
from search.index import SearchIndex

logger = logging.getLogger(__name__)

# What a name earns with every token; see benchmarks/EXPERIMENTS.md, "Decoding nudged by the catalogue".
NATS = 3.0
PACE_SECONDS = 1.0  # between two looks whether the catalogue has changed
SHARE = 0.1  # of the time, at most, that goes into reading names anew while the catalogue changes all the time


class CatalogueHotwords:
    """Titles of an index with at most `limit` documents; of a larger one none."""

    def __init__(self, index: SearchIndex, tokenizer: Tokenizer, limit: int) -> None:
        self._index = index
        self._tokenizer = tokenizer
        self._limit = limit
        self._trie: PhraseTrie | None = None
        self._revision: Hashable = None
        self._next_at = 0.0
        self._busy = threading.Lock()

    @property
    def trie(self) -> PhraseTrie | None:
        """The names of a moment ago; whether they are others by now is found out in the background."""
        if self._limit and time.monotonic() >= self._next_at and self._busy.acquire(blocking=False):
            threading.Thread(target=self._look, name="sayseek-names", daemon=True).start()
        return self._trie

    def read(self) -> None:
        """Read the names, if they have changed. Raises IndexUnavailable."""
        started = time.monotonic()
        revision = self._index.revision() if self._limit else None
        if revision != self._revision:
            documents = self._index.count()
            titles = self._index.titles() if documents <= self._limit else []
            self._trie = PhraseTrie.of(self._tokenizer, dict.fromkeys(titles, NATS)) if titles else None
            self._revision = revision
            seconds = time.monotonic() - started
            message = "the decoder expects %d of the catalogue's %d titles (at most %d are), read in %.1f s"
            logger.info(message, len(titles), documents, self._limit, seconds)
        now = time.monotonic()
        self._next_at = now + max(PACE_SECONDS, (now - started) / SHARE)

    def _look(self) -> None:
        try:
            self.read()
        except SearchError as error:
            logger.warning("the names for the decoder could not be read: %s", error)
        finally:
            self._next_at = max(self._next_at, time.monotonic() + PACE_SECONDS)
            self._busy.release()
