"""What Tantivy is asked: for a query's terms, for sound keys, and for the documents that pass filters."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import accumulate

import tantivy
from tantivy import FieldType, Occur, Query

from search.catalogue.filters import Filter, OneOf
from search.catalogue.schema import Schema, comparable
from search.tantivy.entry import NUMBER, TOKENS, VALUE
from search.text.ranking import (
    FUNCTION_WORDS,
    PART_OF_ALIAS,
    inverse_document_frequency,
    length_factor,
    possible_aliases,
    term_weight,
    whole_alias,
)
from search.text.tokens import is_text

# How many entries of the index a search by sound reads, at most: some 3 ms. Keys that many documents have come last.
MAX_POSTINGS = 150_000


class QueryBuilder:
    """Makes queries for one state of an index, whose titles have `average_title` terms on average.

    Queries are put together from terms and ranges, never parsed, so there is no text that is not a query.
    """

    def __init__(
        self, schema: Schema, tantivy_schema: tantivy.Schema, searcher: tantivy.Searcher, average_title: float
    ) -> None:
        self._schema = tantivy_schema
        self._searcher = searcher
        self._average_title = average_title
        self._boosts = schema.boosts
        # The owner's fields count like the body.
        self._texts = {"body": schema.boosts["body"], **{TOKENS + name: b for name, b in schema.searched().items()}}
        # The fields that a term of a query is looked up in.
        self._searched = ("title", "alias_terms", *self._texts)

    def any_of(self, variants: Iterable[Sequence[str]]) -> Query:
        """Documents that any of these queries finds, each given by its terms; the best of them counts."""
        queries = [self._scored(terms) for terms in variants]
        return queries[0] if len(queries) == 1 else Query.disjunction_max_query(queries)

    def any_key(self, keys: Collection[str]) -> Query:
        """Documents that any of these sound keys finds; each counts by how seldom it is, the seldom ones first."""
        known = sorted((matching, key) for key in keys if (matching := self._searcher.doc_freq("sound", key)))
        read = accumulate(matching for matching, _ in known)
        return _any_of(
            Query.const_score_query(
                self._term("sound", key), inverse_document_frequency(matching, self._searcher.num_docs)
            )
            for (matching, key), so_far in zip(known, read, strict=True)
            if so_far <= MAX_POSTINGS or so_far == matching
        )

    def passing(self, query: Query, filters: Sequence[Filter]) -> Query:
        """The documents of a query that pass all filters, scored as they were."""
        if not filters:
            return query
        required = [(Occur.Must, self._filter(asked)) for asked in filters if not asked.excludes]
        excluded = [(Occur.MustNot, self._filter(asked)) for asked in filters if asked.excludes]
        return Query.boolean_query([(Occur.Must, query), *required, *excluded])

    def _filter(self, asked: Filter) -> Query:
        """The documents that have what a filter names, whether it excludes them or not."""
        if isinstance(asked, OneOf):
            wanted = [self._term(VALUE + asked.field, comparable(value)) for value in asked.values if is_text(value)]
            return Query.const_score_query(_any_of(wanted), 0.0)
        field = NUMBER + asked.field
        return Query.const_score_query(
            Query.range_query(self._schema, field, FieldType.Float, asked.least, asked.most), 0.0
        )

    def _scored(self, terms: Sequence[str]) -> Query:
        """BM25 of title, body and fields over the distinct terms; aliases stand in for a title that says less."""
        distinct = list(dict.fromkeys(terms))
        title = _any_of(self._weighted("title", distinct, self._boosts["title"]))
        name = Query.disjunction_max_query(
            [title, *self._whole_aliases(terms), _any_of(self._parts_of_aliases(distinct))]
        )
        texts = [query for field, boost in self._texts.items() for query in self._weighted(field, distinct, boost)]
        required = Query.const_score_query(self._required(distinct), 0.0)
        return Query.boolean_query([(Occur.Must, required), *((Occur.Should, query) for query in (name, *texts))])

    def _required(self, terms: list[str]) -> Query:
        """One of the terms at least: one that tells something, if the catalogue has any such."""
        known = [term for term in terms if any(self._searcher.doc_freq(field, term) for field in self._searched)]
        telling = [term for term in known if term not in FUNCTION_WORDS] or known
        return _any_of(self._term(field, term) for term in telling for field in self._searched)

    def _weighted(self, field: str, terms: list[str], weight: float) -> list[Query]:
        return [
            Query.boost_query(
                Query.term_query(self._schema, field, term, index_option="freq"), weight * term_weight(term)
            )
            for term in terms
        ]

    def _whole_aliases(self, terms: Sequence[str]) -> Iterator[Query]:
        """Each counts nearly what a title of its length would."""
        for run in possible_aliases(terms):
            alias = whole_alias(run)
            if self._searcher.doc_freq("alias", alias):
                weight = self._boosts["aliases"] * length_factor(len(run), self._average_title)
                worth = weight * sum(map(self._worth_in_names, run))
                yield Query.const_score_query(self._term("alias", alias), worth)

    def _parts_of_aliases(self, terms: list[str]) -> Iterator[Query]:
        """How many aliases a document has says nothing of a match, so no length divides what a term is worth."""
        weight = self._boosts["aliases"] * PART_OF_ALIAS
        for term in terms:
            yield Query.const_score_query(self._term("alias_terms", term), weight * self._worth_in_names(term))

    def _worth_in_names(self, term: str) -> float:
        """BM25's score for a term in an alias of average length: never more than it is worth in a title."""
        matching = max(self._searcher.doc_freq(field, term) for field in ("title", "alias_terms"))
        return term_weight(term) * inverse_document_frequency(matching, self._searcher.num_docs)

    def _term(self, field: str, term: str) -> Query:
        """Documents that have a term, however often."""
        return Query.term_query(self._schema, field, term, index_option="basic")


def _any_of(queries: Iterable[Query]) -> Query:
    return Query.boolean_query([(Occur.Should, query) for query in queries])
