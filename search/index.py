"""What every search index does: the protocol that `tantivy` and `postgres` keep. `opening` opens one."""

from collections.abc import Collection, Hashable, Iterable, Sequence
from types import TracebackType
from typing import Protocol, Self

from search.catalogue.document import Document
from search.catalogue.filters import Filter
from search.catalogue.schema import Schema
from search.phonetic.names import PhoneticNames
from search.result import SearchOptions, SearchPage


class SearchIndex(Protocol):
    """Documents that can be searched. Every method may be called from several threads at once.

    All raise `IndexUnavailable` where the index cannot be read or written, and work again when it can.
    """

    @property
    def schema(self) -> Schema:
        """What the index does with the owner's fields."""

    def upsert(self, documents: Iterable[Document]) -> int:
        """Add documents, replacing those with the same ids, and return how many were given.

        All or nothing: they are durable when this returns, and no search sees a part of them before. Of two
        with the same id the last stays. Raises `IndexBusy`, and whatever iterating raises.
        """

    def replace(self, documents: Iterable[Document], schema: Schema | None = None) -> int:
        """Make these all the documents there are, and return how many were given; of two with the same id the last.

        All or nothing, and durable, as `upsert`: whoever searches meanwhile finds the old documents, then the new. With
        a `schema` that is the index's from then on. Raises `IndexBusy`, and whatever iterating raises.
        """

    def delete(self, ids: Iterable[str]) -> int:
        """Remove documents, as durably, and return how many of them there were. Raises `IndexBusy`."""

    def get(self, document_id: str) -> Document | None:
        """The document with this id, if there is one."""

    def search(self, query: str, options: SearchOptions = SearchOptions()) -> SearchPage:
        """The documents that match any word of a query, the best first. Any text is a query.

        A query without words finds all documents that pass the filters, the most popular first; without filters none.
        Pages follow each other for as long as nobody writes: none repeats or leaves out a document down to `MAX_DEPTH`.
        Raises `InvalidFilter` for filters and facets of fields that have none.
        """

    def sounding_like(self, keys: Collection[str], limit: int, filters: Sequence[Filter] = ()) -> list[PhoneticNames]:
        """The documents whose names share most with what was heard, in no order; see `search.phonetic.keys`.

        Only those that pass all `filters`. A key counts by how seldom it is. Where keys are too many or too common, the
        most common are left out. Raises `InvalidFilter`.
        """

    def titles(self) -> list[str]:
        """Of all documents, in no order."""

    def revision(self) -> Hashable:
        """What is another after every change of the documents."""

    def count(self) -> int:
        """How many documents there are."""

    def close(self) -> None:
        """Give back what the index holds; it cannot be used afterwards."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...
