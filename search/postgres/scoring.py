"""What a query is worth to a document, as PostgreSQL works it out: BM25, with frequencies written into it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql

from search.catalogue.schema import Schema
from search.postgres.entry import alias_lexeme, lexeme, searched_fields
from search.text.ranking import (
    FUNCTION_WORDS,
    K1,
    PART_OF_ALIAS,
    B,
    inverse_document_frequency,
    length_factor,
    possible_aliases,
    term_weight,
)


@dataclass(frozen=True)
class Statistics:
    """How many documents there are, how many of them have each lexeme or key, and how many terms each field has."""

    documents: int
    matching: Mapping[str, int]
    lengths: Mapping[str, int]

    def average(self, field: str) -> float:
        """The average length of a field's text, in terms."""
        return max(self.lengths.get(field, 0) / max(self.documents, 1), 1e-9)

    def has(self, each: str) -> bool:
        return self.matching.get(each, 0) > 0

    def worth(self, matching: int) -> float:
        return inverse_document_frequency(matching, self.documents)


def lexemes(schema: Schema, variants: Iterable[Sequence[str]]) -> set[str]:
    """All lexemes of which the statistics must tell how many documents have them."""
    fields = [*searched_fields(schema), "aliases"]
    found = set()
    for terms in variants:
        found |= {lexeme(field, term) for field in fields for term in terms}
        found |= {alias_lexeme(run) for run in possible_aliases(terms)}
    return found


@dataclass(frozen=True)
class Part:
    """What some lexemes add to the score of a document that has them all, and the most that this can be."""

    lexemes: tuple[str, ...]
    adds: sql.Composable
    most: float


class Scoring:
    """One query's terms over one state of a catalogue.

    The score is BM25 of title, body and fields over the distinct terms; aliases stand in for a title that says less. A
    document must have one of the lexemes in `required`: of a term that tells something, if the catalogue has any such.
    """

    def __init__(self, schema: Schema, statistics: Statistics, terms: Sequence[str]) -> None:
        self._statistics = statistics
        self._fields = searched_fields(schema)
        self._boosts = {**schema.searched(), **schema.boosts}
        distinct = list(dict.fromkeys(terms))
        self._title = self._text("title", distinct)
        self._whole = list(self._whole_aliases(terms))
        self._parts = list(self._parts_of_aliases(distinct))
        self._texts = [part for field in self._fields if field != "title" for part in self._text(field, distinct)]
        self.required = self._required(distinct)

    @property
    def score(self) -> sql.Composed:
        names = [_sum(self._title), *(part.adds for part in self._whole), _sum(self._parts)]
        return sql.SQL("greatest({}) + {}").format(sql.SQL(", ").join(names), _sum(self._texts))

    @property
    def lexemes(self) -> set[str]:
        """The lexemes that add anything."""
        return {part.lexemes[0] for part in (*self._title, *self._whole, *self._parts, *self._texts)}

    def most_without(self, lexemes: Iterable[str]) -> float:
        """The most that a document scores that has none of these lexemes."""
        missing = set(lexemes)

        def most(parts: Iterable[Part]) -> list[float]:
            return [part.most for part in parts if not missing.intersection(part.lexemes)]

        names = max(sum(most(self._title)), *most(self._whole), sum(most(self._parts)))
        return names + sum(most(self._texts))

    def _required(self, terms: list[str]) -> list[str]:
        fields = (*self._fields, "aliases")
        found = {
            term: [each for field in fields if self._statistics.has(each := lexeme(field, term))] for term in terms
        }
        known = [term for term in terms if found[term]]
        telling = [term for term in known if term not in FUNCTION_WORDS] or known
        return [each for term in telling for each in found[term]]

    def _text(self, field: str, terms: list[str]) -> list[Part]:
        """BM25 of one field."""
        known = ((term, each) for term in terms if self._statistics.has(each := lexeme(field, term)))
        return [self._bm25(field, each, self._boosts[field] * term_weight(term)) for term, each in known]

    def _bm25(self, field: str, each: str, weight: float) -> Part:
        most = weight * self._statistics.worth(self._statistics.matching[each]) * (K1 + 1)
        # Of documents that have just been replaced by those of another schema the field may have no length.
        adds = sql.SQL(
            "CASE WHEN terms @@ {query} THEN {most} / (1 + ({fixed} + {per_term} * coalesce(lengths[{position}], 0))"
            " / coalesce((repeated ->> {lexeme})::float8, 1)) ELSE 0 END"
        ).format(
            query=any_of([each]),
            most=number(most),
            fixed=number(K1 * (1 - B)),
            per_term=number(K1 * B / self._statistics.average(field)),
            position=sql.Literal(self._fields.index(field) + 1),
            lexeme=sql.Literal(each),
        )
        return Part((each,), adds, most)

    def _whole_aliases(self, terms: Sequence[str]) -> Iterator[Part]:
        """Each counts nearly what a title of its length would."""
        for run in possible_aliases(terms):
            if self._statistics.has(each := alias_lexeme(run)):
                weight = self._boosts["aliases"] * length_factor(len(run), max(self._statistics.average("title"), 1))
                worth = weight * sum(map(self._worth_in_names, run))
                yield _constant(each, worth, [lexeme("aliases", term) for term in run])

    def _parts_of_aliases(self, terms: list[str]) -> Iterator[Part]:
        """How many aliases a document has says nothing of a match, so no length divides what a term is worth."""
        weight = self._boosts["aliases"] * PART_OF_ALIAS
        for term in terms:
            if self._statistics.has(each := lexeme("aliases", term)):
                yield _constant(each, weight * self._worth_in_names(term), [])

    def _worth_in_names(self, term: str) -> float:
        """BM25's score for a term in an alias of average length: never more than it is worth in a title."""
        matching = (self._statistics.matching.get(lexeme(field, term), 0) for field in ("title", "aliases"))
        return term_weight(term) * self._statistics.worth(max(matching))


def any_of(lexemes: Iterable[str]) -> sql.Composed:
    """Any of these lexemes; nothing in them means anything inside quotes."""
    return sql.SQL("{}::tsquery").format(sql.Literal(" | ".join(f"'{each}'" for each in lexemes)))


def number(value: float) -> sql.Composed:
    return sql.SQL("{}::float8").format(sql.Literal(value))


def _constant(each: str, worth: float, with_it: Iterable[str]) -> Part:
    """What a lexeme adds that no document has without some others."""
    adds = sql.SQL("CASE WHEN terms @@ {} THEN {} ELSE 0 END").format(any_of([each]), number(worth))
    return Part((each, *with_it), adds, worth)


def _sum(parts: Sequence[Part]) -> sql.Composable:
    return sql.SQL(" + ").join(part.adds for part in parts) if parts else number(0)
