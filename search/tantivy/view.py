"""One state of the embedded index, and what is found in it."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Self, TypeAlias

import tantivy

from search.catalogue.document import RESERVED
from search.catalogue.filters import Filter
from search.catalogue.schema import Schema
from search.phonetic.names import PhoneticNames
from search.result import MAX_FACET_VALUES, Result, SearchOptions, SearchPage
from search.tantivy.entry import WRITTEN
from search.tantivy.query import QueryBuilder
from search.text.ranking import query_terms
from search.text.synonyms import Synonyms
from search.text.tokens import is_text

# So many hits that are equal are put into the order of their ids, which have to be read.
MAX_EQUALS = 100
# Values of a field that are counted in each segment of the index; with more of them the counts are estimates.
COUNTED_VALUES = 65_000

Hit: TypeAlias = tuple[float, tantivy.DocAddress]


@dataclass(frozen=True)
class View:
    """An index as one commit left it, which `meta` names; it stays so for as long as it is used."""

    generation: Path
    meta: bytes
    index: tantivy.Index
    schema: Schema
    synonyms: Synonyms
    searcher: tantivy.Searcher
    queries: QueryBuilder

    @classmethod
    def of(cls, generation: Path, meta: bytes, index: tantivy.Index, schema: Schema, synonyms: Synonyms) -> Self:
        searcher = index.searcher()
        queries = QueryBuilder(schema, index.schema, searcher, _average_title(searcher))
        return cls(generation, meta, index, schema, synonyms, searcher, queries)

    def record(self, document_id: str) -> dict[str, Any] | None:
        """The record of a document, if there is one."""
        if not is_text(document_id):
            return None
        by_id = tantivy.Query.term_query(self.index.schema, "id", document_id, index_option="basic")
        hits = self.searcher.search(by_id, limit=1, count=False).hits
        return self._stored(hits[0][1]) if hits else None

    def search(self, query: str, options: SearchOptions) -> SearchPage:
        terms = query_terms(query)
        if not terms and not options.filters:
            return SearchPage([], 0, {facet: {} for facet in options.facets})
        scored = self.queries.any_of(self.synonyms.variants(terms)) if terms else tantivy.Query.all_query()
        asked = self.queries.passing(scored, options.filters)
        results, total = self._page(asked, bool(terms), options.offset, max(0, options.limit))
        return SearchPage(results, total, {facet: self._counts(asked, facet) for facet in options.facets})

    def sounding_like(self, keys: Collection[str], limit: int, filters: Sequence[Filter]) -> list[PhoneticNames]:
        asked = self.queries.passing(self.queries.any_key(keys), filters)
        hits = self.searcher.search(asked, max(limit, 1), count=False).hits
        # In the order of the disk: what lies together is decompressed together.
        addresses = sorted((address for _, address in hits[:limit]), key=lambda a: (a.segment_ord, a.doc))
        stored: list[bytes] = [self.searcher.doc(address).get_first("named") or b"" for address in addresses]
        # Parsed in one go, which for so many takes half the time.
        return [PhoneticNames(*values) for values in json.loads(b"[%b]" % b",".join(stored))]

    def titles(self) -> list[str]:
        hits = self.searcher.search(tantivy.Query.all_query(), max(self.searcher.num_docs, 1), count=False).hits
        return [self._stored(address)["title"] for _, address in hits]

    def _page(self, asked: tantivy.Query, is_scored: bool, offset: int, limit: int) -> tuple[list[Result], int]:
        """The hits from `offset` on, by score or by popularity alone, and how many there are of all.

        Equals go by their ids; where they are too many, as the index has them. So many hits are looked at that
        whatever page is asked for, the same are too many: pages follow each other.
        """
        end = offset + limit
        hits, total = self._hits(asked, is_scored, end + MAX_EQUALS + 1)
        results: list[Result] = []
        first = 0
        for score, group in groupby(hits, key=itemgetter(0)):
            equals = [address for _, address in group]
            wanted = slice(max(0, offset - first), max(0, end - first))
            if equals[wanted]:
                results += [_result(score, record) for record in self._records(equals, wanted)]
            first += len(equals)
        return results, total

    def _hits(self, asked: tantivy.Query, is_scored: bool, limit: int) -> tuple[list[Hit], int]:
        if is_scored:
            matching = self.searcher.search(asked, limit, weight_by_field="weight")
        else:
            matching = self.searcher.search(asked, limit, order_by_field="popularity")
        return matching.hits, matching.count  # type: ignore[attr-defined]  # Tantivy's stub leaves it out.

    def _records(self, equals: list[tantivy.DocAddress], wanted: slice) -> list[dict[str, Any]]:
        if len(equals) > MAX_EQUALS:
            return [self._stored(address) for address in equals[wanted]]
        return sorted(map(self._stored, equals), key=itemgetter("id"))[wanted]

    def _counts(self, asked: tantivy.Query, facet: str) -> dict[str, int]:
        """How many documents have each value; of values that as many have the first by their text come first."""
        terms = {"field": WRITTEN + facet, "size": MAX_FACET_VALUES, "segment_size": COUNTED_VALUES}
        answer = self.searcher.aggregate(asked, {"counts": {"terms": terms}})
        return {bucket["key"]: bucket["doc_count"] for bucket in answer["counts"]["buckets"]}

    def _stored(self, address: tantivy.DocAddress) -> dict[str, Any]:
        record: dict[str, Any] = json.loads(self.searcher.doc(address).get_first("record") or b"")
        return record


def _average_title(searcher: tantivy.Searcher) -> float:
    """The average length of a title in terms, which Tantivy knows but does not tell; at least 1."""
    answer = searcher.aggregate(tantivy.Query.all_query(), {"average": {"avg": {"field": "title_length"}}})
    return max(answer["average"]["value"] or 0.0, 1.0)


def _result(score: float, record: dict[str, Any]) -> Result:
    fields = {key: value for key, value in record.items() if key not in RESERVED}
    return Result(record["id"], score, record["title"], record.get("body", ""), fields)
