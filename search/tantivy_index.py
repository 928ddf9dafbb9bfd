"""The embedded index: Tantivy (https://github.com/quickwit-oss/tantivy) in a folder of this machine."""

import json
import os
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import tantivy

from search.document import RESERVED, Document
from search.errors import IndexBusy, IndexUnavailable
from search.filters import Filter
from search.index_folder import prepared_folder
from search.named import Named
from search.ranking import MAX_ALIAS_TERMS, popularity_factor, query_terms, whole_alias
from search.result import Found, Result, SearchOptions
from search.schema import Schema
from search.sound_keys import names_keys
from search.tantivy_query import QueryBuilder, any_key
from search.text import tokens

# Raise it whenever what is written changes: the schema, the folding of text, the record.
FORMAT = 2

# Bytes of documents that a write gathers in memory before they go to disk.
WRITER_HEAP = 64_000_000
# Documents of which only the last with each id is written: Tantivy takes the square of how often one id is.
GATHERED = 256
# Seconds to wait for another writer, and between two looks whether it is done.
WRITER_WAIT = 10.0
WRITER_POLL = 0.0005

# How many of BM25's best popularity may reorder.
MIN_CANDIDATES = 100
CANDIDATES_PER_RESULT = 5


class TantivyIndex:
    """A `SearchIndex` in a folder, which several processes may share: all search, one writes at a time.

    A writer is opened for each write and closed after it, which costs a millisecond, so nobody holds the lock
    without need. Every search looks first whether anyone has committed.
    """

    def __init__(self, path: Path, schema: Schema | None = None, writer_wait: float = WRITER_WAIT) -> None:
        """Open the index in `path`, or make one; a write waits `writer_wait` seconds for other writers."""
        self._home = prepared_folder(path, f"tantivy {FORMAT}", _create)
        self._meta = self._home / "meta.json"
        self.schema = schema or Schema()
        self._writer_wait = writer_wait
        with self._reading():
            self._index = tantivy.Index.open(str(self._home))
            self._index.config_reader("manual")
        self._schema = self._index.schema
        self._seen = b""
        self._average_title = 1.0
        self._reload_lock = threading.Lock()
        self._write_lock = threading.Lock()
        self._closed = False

    def upsert(self, documents: Iterable[Document]) -> int:
        count = 0
        latest: dict[str, Document] = {}
        with self._writer() as writer:
            for document in documents:
                latest[document.id] = document
                count += 1
                if count % GATHERED == 0:
                    self._replace(writer, latest)
            self._replace(writer, latest)
            self._commit(writer, count)
        return count

    def _replace(self, writer: tantivy.IndexWriter, latest: dict[str, Document]) -> None:
        """Write what was gathered, and gather anew."""
        for document in latest.values():
            entry = self._entry(document)
            with self._storing():
                writer.delete_documents_by_term("id", document.id)
                writer.add_document(entry)
        latest.clear()

    def delete(self, ids: Iterable[str]) -> int:
        with self._writer() as writer:
            searcher = self._searcher()
            present = [document_id for document_id in set(ids) if self._record(searcher, document_id)]
            for document_id in present:
                with self._storing():
                    writer.delete_documents_by_term("id", document_id)
            self._commit(writer, len(present))
        return len(present)

    def get(self, document_id: str) -> Document | None:
        record = self._record(self._searcher(), document_id)
        return Document.from_record(record) if record else None

    def search(self, query: str, options: SearchOptions = SearchOptions()) -> Found:
        terms = query_terms(query)
        if not terms or options.limit < 1:
            return Found([])
        searcher = self._searcher()
        end = options.offset + options.limit
        candidates = max(MIN_CANDIDATES, CANDIDATES_PER_RESULT * end)
        with self._reading():
            asked = QueryBuilder(self._schema, searcher, self._average_title).build(terms)
            matching = searcher.search(asked, candidates, count=True)
            return Found(_best(searcher, matching.hits, end)[options.offset :], matching.count or 0)

    def sounding_like(self, keys: Collection[str], limit: int, filters: Sequence[Filter] = ()) -> list[Named]:
        searcher = self._searcher()
        with self._reading():
            hits = searcher.search(any_key(self._schema, searcher, keys), max(limit, 1), count=False).hits
            # In the order of the disk: what lies together is decompressed together.
            addresses = sorted((address for _, address in hits[:limit]), key=lambda a: (a.segment_ord, a.doc))
            return [_named(searcher, address) for address in addresses]

    def count(self) -> int:
        return self._searcher().num_docs

    def close(self) -> None:
        with self._write_lock:
            self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _searcher(self) -> tantivy.Searcher:
        """A view of the last commit, whichever process made it."""
        self._check_open()
        with self._reading():
            # Read whole, in 20 µs: a time stamp is cheaper, but its ticks are longer than a commit may take.
            meta = self._meta.read_bytes()
            if meta != self._seen:
                self._reload(meta)
            return self._index.searcher()

    def _reload(self, meta: bytes) -> None:
        with self._reload_lock:
            if meta != self._seen:  # Nobody did so while this one waited.
                self._index.reload()
                self._average_title = _average_title(self._index.searcher())
                self._seen = meta

    @contextmanager
    def _writer(self) -> Iterator[tantivy.IndexWriter]:
        """The only writer of the folder. What it did not commit when it is closed is gone."""
        deadline = time.monotonic() + self._writer_wait
        if not self._write_lock.acquire(timeout=self._writer_wait):
            raise self._busy()
        try:
            self._check_open()
            writer = self._opened_writer(deadline)
            try:
                yield writer
            finally:
                # Closes it, once the merges that keep segments few are done: a commit alone never ends them.
                with self._storing():
                    writer.wait_merging_threads()
        finally:
            self._write_lock.release()

    def _opened_writer(self, deadline: float) -> tantivy.IndexWriter:
        while True:
            try:
                # One thread: folding text in Python is slower than it, and two would leave two segments.
                return self._index.writer(WRITER_HEAP, num_threads=1)
            except ValueError as error:
                if "LockBusy" not in str(error):
                    raise self._unwritable(error) from error
                if time.monotonic() >= deadline:
                    raise self._busy() from error
            time.sleep(WRITER_POLL)

    def _commit(self, writer: tantivy.IndexWriter, changes: int) -> None:
        if changes:
            with self._storing():
                writer.commit()

    def _entry(self, document: Document) -> tantivy.Document:
        """A document as Tantivy keeps it: folded tokens to find it by, and the record to give back."""
        title = tokens(document.title)
        of_aliases = [tokens(alias) for alias in document.aliases]
        aliases = [terms for terms in of_aliases if terms]
        names = zip((document.title, *document.aliases), (title, *of_aliases), strict=True)
        named = Named.of(document.id, names)
        entry: dict[str, Any] = {
            "id": document.id,
            "title": " ".join(title),
            "title_length": len(title),
            "alias": " ".join(whole_alias(terms) for terms in aliases if len(terms) <= MAX_ALIAS_TERMS),
            "alias_terms": " ".join(term for terms in aliases for term in terms),
            "sound": " ".join(names_keys(named.phones)),
            "named": json.dumps([named.id, named.names, named.phones], ensure_ascii=False).encode(),
            "body": " ".join(tokens(document.body)),
            "record": json.dumps(document.to_record(), ensure_ascii=False, allow_nan=False).encode(),
        }
        if document.popularity is not None:
            entry["popularity"] = float(document.popularity)
        return tantivy.Document.from_dict(entry, self._schema)

    def _record(self, searcher: tantivy.Searcher, document_id: str) -> dict[str, Any] | None:
        if not _is_text(document_id):
            return None
        with self._reading():
            by_id = tantivy.Query.term_query(self._schema, "id", document_id, index_option="basic")
            hits = searcher.search(by_id, limit=1, count=False).hits
            return _stored(searcher, hits[0][1]) if hits else None

    def _check_open(self) -> None:
        if self._closed:
            raise IndexUnavailable("the index is closed; open it again")

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Translates what Tantivy and the file system say about reading."""
        try:
            yield
        except (ValueError, OSError) as error:
            # Reading takes a lock, too, which is a file in the folder.
            if self._home.is_dir() and not os.access(self._home, os.R_OK | os.W_OK | os.X_OK):
                raise self._unwritable(error) from error
            advice = "if its files are damaged, delete the folder and index the catalogue again"
            message = f"the index in {self._home} cannot be read ({error}); {advice}"
            raise IndexUnavailable(message, "the index cannot be read") from error

    @contextmanager
    def _storing(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, OSError) as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: Exception) -> IndexUnavailable:
        advice = "let the user that this runs as write to the folder, and its disk have room"
        message = f"the index in {self._home} cannot be written ({error}); {advice}"
        return IndexUnavailable(message, "the index cannot be written")

    def _busy(self) -> IndexBusy:
        return IndexBusy(f"another writer has the index in {self._home}; try again when it is done")


def _schema() -> tantivy.Schema:
    """Tokens are made here, not by Tantivy: its tokenizers only split what `search.text` has joined."""
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("title", tokenizer_name="whitespace", index_option="freq")
    builder.add_text_field("alias", tokenizer_name="whitespace", index_option="basic")
    builder.add_text_field("alias_terms", tokenizer_name="whitespace", index_option="basic")
    builder.add_text_field("body", tokenizer_name="whitespace", index_option="freq")
    builder.add_text_field("sound", tokenizer_name="whitespace", index_option="basic")
    builder.add_bytes_field("named", stored=True)
    builder.add_unsigned_field("title_length", fast=True)
    builder.add_float_field("popularity", fast=True)
    builder.add_bytes_field("record", stored=True)
    return builder.build()


def _average_title(searcher: tantivy.Searcher) -> float:
    """The average length of a title in terms, which Tantivy knows but does not tell; at least 1."""
    answer = searcher.aggregate(tantivy.Query.all_query(), {"average": {"avg": {"field": "title_length"}}})
    return max(answer["average"]["value"] or 0.0, 1.0)


def _create(folder: Path) -> None:
    tantivy.Index(_schema(), path=str(folder))


def _best(searcher: tantivy.Searcher, hits: list[tuple[float, tantivy.DocAddress]], limit: int) -> list[Result]:
    """The best of BM25's hits once popularity is counted in; documents with equal scores go by their ids."""
    popularities = searcher.fast_field_values("popularity", [address for _, address in hits])
    scored = [
        (score * popularity_factor(popularity), address)
        for (score, address), popularity in zip(hits, popularities, strict=True)
    ]
    scored.sort(key=lambda candidate: candidate[0], reverse=True)
    cut = scored[:limit][-1][0] if scored else 0.0
    results = [_result(score, _stored(searcher, address)) for score, address in scored if score >= cut]
    return sorted(results, key=lambda result: (-result.score, result.id))[:limit]


def _stored(searcher: tantivy.Searcher, address: tantivy.DocAddress) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(searcher.doc(address).get_first("record") or b"")
    return record


def _named(searcher: tantivy.Searcher, address: tantivy.DocAddress) -> Named:
    stored: bytes = searcher.doc(address).get_first("named") or b""
    return Named(*json.loads(stored.decode()))


def _result(score: float, record: dict[str, Any]) -> Result:
    fields = {key: value for key, value in record.items() if key not in RESERVED}
    return Result(record["id"], score, record["title"], record.get("body", ""), fields)


def _is_text(text: str) -> bool:
    """Whether a string can be written as UTF-8; half a surrogate pair cannot."""
    return text == text.encode(errors="replace").decode()
