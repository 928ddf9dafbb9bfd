"""What Tantivy is asked for a query's terms."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import accumulate

import tantivy
from tantivy import Occur, Query

from search.ranking import (
    BODY_WEIGHT,
    FUNCTION_WORDS,
    PART_OF_ALIAS_WEIGHT,
    TITLE_WEIGHT,
    WHOLE_ALIAS_WEIGHT,
    inverse_document_frequency,
    length_factor,
    possible_aliases,
    term_weight,
    whole_alias,
)

# How many entries of the index a search by sound reads, at most: some 3 ms. Keys that many documents have come last.
MAX_POSTINGS = 150_000

# The fields that a term of a query is looked up in.
SEARCHED = ("title", "alias_terms", "body")


@dataclass(frozen=True)
class QueryBuilder:
    """Makes queries for one state of an index, whose titles have `average_title` terms on average.

    Queries are put together from terms, never parsed, so there is no text that is not a query.
    """

    schema: tantivy.Schema
    searcher: tantivy.Searcher
    average_title: float

    def build(self, terms: list[str]) -> Query:
        """BM25 of title and body over the distinct terms; aliases stand in for a title that says less."""
        distinct = list(dict.fromkeys(terms))
        title = _any_of(self._weighted("title", distinct, TITLE_WEIGHT))
        name = Query.disjunction_max_query(
            [title, *self._whole_aliases(terms), _any_of(self._parts_of_aliases(distinct))]
        )
        scored = [name, *self._weighted("body", distinct, BODY_WEIGHT)]
        required = Query.const_score_query(self._required(distinct), 0.0)
        return Query.boolean_query([(Occur.Must, required), *((Occur.Should, query) for query in scored)])

    def _required(self, terms: list[str]) -> Query:
        """One of the terms at least: one that tells something, if the catalogue has any such."""
        known = [term for term in terms if any(self.searcher.doc_freq(field, term) for field in SEARCHED)]
        telling = [term for term in known if term not in FUNCTION_WORDS] or known
        return _any_of([self._term(field, term) for term in telling for field in SEARCHED])

    def _weighted(self, field: str, terms: list[str], weight: float) -> list[Query]:
        return [Query.boost_query(self._term(field, term), weight * term_weight(term)) for term in terms]

    def _whole_aliases(self, terms: list[str]) -> Iterator[Query]:
        """Each counts nearly what a title of its length would."""
        for run in possible_aliases(terms):
            alias = whole_alias(run)
            if self.searcher.doc_freq("alias", alias):
                weight = WHOLE_ALIAS_WEIGHT * length_factor(len(run), self.average_title)
                worth = weight * sum(map(self._worth_in_names, run))
                yield Query.const_score_query(self._term("alias", alias), worth)

    def _parts_of_aliases(self, terms: list[str]) -> list[Query]:
        """How many aliases a document has says nothing of a match, so no length divides what a term is worth."""
        return [
            Query.const_score_query(self._term("alias_terms", term), PART_OF_ALIAS_WEIGHT * self._worth_in_names(term))
            for term in terms
        ]

    def _worth_in_names(self, term: str) -> float:
        """BM25's score for a term in an alias of average length: never more than it is worth in a title."""
        matching = max(self.searcher.doc_freq(field, term) for field in ("title", "alias_terms"))
        return term_weight(term) * inverse_document_frequency(matching, self.searcher.num_docs)

    def _term(self, field: str, term: str) -> Query:
        return Query.term_query(self.schema, field, term, index_option="freq")


def any_key(schema: tantivy.Schema, searcher: tantivy.Searcher, keys: Collection[str]) -> Query:
    """Documents that any of these sound keys finds; each counts by how seldom it is, the seldom ones first."""
    known = sorted((matching, key) for key in keys if (matching := searcher.doc_freq("sound", key)))
    read = accumulate(matching for matching, _ in known)
    scored = [
        Query.const_score_query(
            Query.term_query(schema, "sound", key, index_option="basic"),
            inverse_document_frequency(matching, searcher.num_docs),
        )
        for (matching, key), so_far in zip(known, read, strict=True)
        if so_far <= MAX_POSTINGS or so_far == matching
    ]
    return _any_of(scored)


def _any_of(queries: list[Query]) -> Query:
    return Query.boolean_query([(Occur.Should, query) for query in queries])
