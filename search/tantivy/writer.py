"""Writing documents with Tantivy."""

from collections.abc import Collection, Iterable

import tantivy

from search.catalogue.document import Document
from search.catalogue.schema import Schema
from search.tantivy.entry import entry
from search.tantivy.errors import Translator
from search.tantivy.yielding import Courtesy

# Bytes of documents that a write gathers in memory before they go to disk.
HEAP = 64_000_000
# Documents of which only the last with each id is written: Tantivy takes the square of how often one id is.
GATHERED = 256


class DocumentWriter:
    """The only writer of a generation while it is open. What is not committed when it is closed is gone.

    Raises `ValueError` with "LockBusy" where there is another.
    """

    def __init__(self, index: tantivy.Index, schema: Schema, errors: Translator, courtesy: Courtesy) -> None:
        # One thread: folding text in Python is slower than it, and two would leave two segments.
        self._writer = index.writer(HEAP, num_threads=1)
        with errors.writing():
            # What a killed writer left may have a name that this one gives, too: then it could not commit.
            self._writer.garbage_collect_files()
        self._layout = index.schema
        self._schema = schema
        self._errors = errors
        self._courtesy = courtesy

    def upsert(self, documents: Iterable[Document]) -> int:
        """Write documents, each in the place of one with its id, commit them and return how many they were."""
        count = 0
        latest: dict[str, Document] = {}
        for document in documents:
            latest[document.id] = document
            count += 1
            if count % GATHERED == 0:
                self._put(latest.values())
                latest.clear()
        self._put(latest.values())
        self._commit(count)
        return count

    def delete(self, ids: Collection[str]) -> int:
        """Delete documents, commit that and return how many ids they were."""
        self._remove(list(ids))
        self._commit(len(ids))
        return len(ids)

    def close(self) -> None:
        """Once the merges that keep segments few are done: a commit alone never ends them."""
        with self._errors.writing():
            self._writer.wait_merging_threads()

    def _put(self, documents: Collection[Document]) -> None:
        """Write documents of different ids."""
        self._remove([document.id for document in documents])
        for document in documents:
            self._courtesy.give_way()
            written = tantivy.Document.from_dict(entry(document, self._schema), self._layout)
            with self._errors.writing():
                self._writer.add_document(written)

    def _remove(self, ids: list[str]) -> None:
        """One deletion for many ids: Tantivy keeps each in memory until the commit, and a kilobyte with it."""
        with self._errors.writing():
            self._writer.delete_documents_by_query(tantivy.Query.term_set_query(self._layout, "id", ids))

    def _commit(self, changes: int) -> None:
        if changes:
            with self._errors.writing():
                self._writer.commit()
