"""The embedded index: Tantivy (https://github.com/quickwit-oss/tantivy) in a folder of this machine."""

import json
import os
import shutil
import threading
import time
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import tantivy

from search.catalogue.document import Document
from search.catalogue.filters import Filter, check_filters
from search.catalogue.schema import Schema
from search.errors import IndexUnavailable
from search.phonetic.names import PhoneticNames
from search.result import SearchOptions, SearchPage
from search.tantivy.entry import tantivy_schema
from search.tantivy.errors import Translator
from search.tantivy.folder import (
    current_generation,
    new_generation,
    prepared_folder,
    publish_generation,
    remove_leftovers,
    synchronise,
)
from search.tantivy.view import View
from search.tantivy.writer import DocumentWriter
from search.tantivy.yielding import Courtesy
from search.text.synonyms import Synonyms

# Raise it whenever what is written changes: the entries, the folding of text, the record.
FORMAT = "tantivy 3"
SCHEMA_FILE = "sayseek-schema.json"

# Seconds to wait for another writer, and between two looks whether it is done.
WRITER_WAIT = 10.0
WRITER_POLL = 0.0005


class TantivyIndex:
    """A `SearchIndex` in a folder, which several processes may share: all search, one writes at a time.

    A writer is opened for each write and closed after it, which costs a millisecond, so nobody holds the lock
    without need. Every search looks first whether anyone has committed. While all documents are replaced, the old ones
    are searched, and other writers wait.
    """

    def __init__(self, path: Path, schema: Schema | None = None, writer_wait: float = WRITER_WAIT) -> None:
        """Open the index in `path`, or make one; a write waits `writer_wait` seconds for other writers."""
        self._home = prepared_folder(path, FORMAT, lambda folder: _create(folder, schema or Schema()))
        self._errors = Translator(self._home)
        self._courtesy = Courtesy()
        self._writer_wait = writer_wait
        self._reload_lock = threading.Lock()
        self._write_lock = threading.Lock()
        self._closed = False
        self._view: View | None = None
        self._adopt(schema or self.schema)

    @property
    def schema(self) -> Schema:
        return self._current().schema

    def upsert(self, documents: Iterable[Document]) -> int:
        with self._writer() as writer:
            return writer.upsert(documents)

    def replace(self, documents: Iterable[Document], schema: Schema | None = None) -> int:
        with self._writer():
            old = self._current()
            with self._errors.writing():
                new = new_generation(self._home, FORMAT, lambda folder: _create(folder, schema or old.schema))
            try:
                count = self._fill(new, documents)
                with self._errors.writing():
                    publish_generation(self._home, new)
            finally:
                if current_generation(self._home) != new:
                    shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old.generation, ignore_errors=True)
        return count

    def delete(self, ids: Iterable[str]) -> int:
        with self._writer() as writer:
            view = self._current()
            with self._errors.reading():
                present = [document_id for document_id in set(ids) if view.record(document_id)]
            return writer.delete(present)

    def get(self, document_id: str) -> Document | None:
        view = self._current()
        with self._errors.reading():
            record = view.record(document_id)
        return Document.from_record(record) if record else None

    def search(self, query: str, options: SearchOptions = SearchOptions()) -> SearchPage:
        view = self._current()
        check_filters(options.filters, options.facets, view.schema)
        with self._errors.reading(), self._courtesy:
            return view.search(query, options)

    def sounding_like(self, keys: Collection[str], limit: int, filters: Sequence[Filter] = ()) -> list[PhoneticNames]:
        view = self._current()
        check_filters(filters, (), view.schema)
        with self._errors.reading(), self._courtesy:
            return view.sounding_like(keys, limit, filters)

    def titles(self) -> list[str]:
        view = self._current()
        with self._errors.reading():
            return view.titles()

    def revision(self) -> Hashable:
        view = self._current()
        return view.generation, view.meta

    def count(self) -> int:
        return self._current().searcher.num_docs

    def close(self) -> None:
        with self._write_lock:
            self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _adopt(self, schema: Schema) -> None:
        """Use another schema of the same layout, and keep it for those who open the index without one."""
        view = self._current()
        if schema.layout != view.schema.layout:
            problem = "was made for other fields, or other uses of them, than its catalogue's configuration has now"
            advice = "index the catalogue again with `sayseek-server index FILE --replace`"
            raise IndexUnavailable(f"the index in {self._home} {problem}; {advice}")
        if schema != view.schema:
            with self._errors.writing():
                _keep(schema, view.generation)
            self._view = View.of(view.generation, view.meta, view.index, schema, Synonyms(schema.synonyms))

    def _current(self) -> View:
        """The index as the last commit left it, whichever process made that."""
        if self._closed:
            raise IndexUnavailable("the index is closed; open it again")
        with self._errors.reading():
            while True:
                generation = current_generation(self._home)
                try:
                    return self._as_of(generation)
                except (ValueError, OSError):
                    # It may have been replaced meanwhile, and deleted.
                    if current_generation(self._home) == generation:
                        raise

    def _as_of(self, generation: Path) -> View:
        # Read whole, in 20 µs: a time stamp is cheaper, but its ticks are longer than a commit may take.
        meta = (generation / "meta.json").read_bytes()
        view = self._view
        if view is None or (view.meta, view.generation) != (meta, generation):
            with self._reload_lock:
                view = self._reloaded(generation, meta)
                if current_generation(self._home) != generation:
                    # It may have been half deleted by then, and Tantivy takes files that are not there for empty ones.
                    raise FileNotFoundError(f"{generation} has been replaced")
                self._view = view
        return view

    def _reloaded(self, generation: Path, meta: bytes) -> View:
        view = self._view
        if view is None or view.generation != generation:
            schema = _kept(generation)
            return View.of(generation, meta, _opened(generation), schema, Synonyms(schema.synonyms))
        if view.meta != meta:  # Nobody did so while this one waited.
            view.index.reload()
            return View.of(generation, meta, view.index, view.schema, view.synonyms)
        return view

    @contextmanager
    def _writer(self) -> Iterator[DocumentWriter]:
        """The only writer of the folder."""
        deadline = time.monotonic() + self._writer_wait
        if not self._write_lock.acquire(timeout=self._writer_wait):
            raise self._errors.busy()
        try:
            writer = self._opened_writer(deadline)
            try:
                with self._errors.writing():
                    remove_leftovers(self._home)
                yield writer
            finally:
                writer.close()
        finally:
            self._write_lock.release()

    def _opened_writer(self, deadline: float) -> DocumentWriter:
        """Who has the writer of the current generation is the only one who writes."""
        while True:
            view = self._current()
            try:
                writer = DocumentWriter(view.index, view.schema, self._errors, self._courtesy)
                if current_generation(self._home) == view.generation:
                    return writer
                writer.close()
            except (ValueError, IndexUnavailable) as error:
                # One that was replaced meanwhile may be half deleted by now.
                if "LockBusy" not in str(error) and current_generation(self._home) == view.generation:
                    with self._errors.writing():
                        raise
                if time.monotonic() >= deadline:
                    raise self._errors.busy() from error
            time.sleep(WRITER_POLL)

    def _fill(self, generation: Path, documents: Iterable[Document]) -> int:
        with self._errors.writing():
            writer = DocumentWriter(_opened(generation), _kept(generation), self._errors, self._courtesy)
        try:
            return writer.upsert(documents)
        finally:
            writer.close()


def _create(folder: Path, schema: Schema) -> None:
    tantivy.Index(tantivy_schema(schema), path=str(folder))
    _keep(schema, folder)


def _opened(folder: Path) -> tantivy.Index:
    index = tantivy.Index.open(str(folder))
    index.config_reader("manual")
    return index


def _keep(schema: Schema, folder: Path) -> None:
    """Write a schema so that no one reads a part of it."""
    new = folder / f".{SCHEMA_FILE}-{os.getpid()}-{threading.get_ident()}"
    new.write_text(json.dumps(schema.to_record(), ensure_ascii=False))
    synchronise(new)
    os.replace(new, folder / SCHEMA_FILE)


def _kept(folder: Path) -> Schema:
    return Schema.from_record(json.loads((folder / SCHEMA_FILE).read_text()))
