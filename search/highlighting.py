"""Snippets: where the words of a query stand in what was found, as HTML that is safe to show.

Words meet here as they do in a search: folded, and through the owner's synonyms.
"""

import html
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache

from search.catalogue.document import Document
from search.catalogue.schema import Schema, text
from search.configuration import MAX_CATALOGUES
from search.result import Result
from search.text.ranking import FUNCTION_WORDS, query_terms
from search.text.synonyms import Synonyms
from search.text.tokens import located_tokens

SNIPPET_CHARACTERS = 160
# Looked at of each text: a body may have a megabyte.
SEEN_CHARACTERS = 5_000
CUT = "…"


@dataclass(frozen=True)
class Hit:
    """A word of a text that the query has, too: characters `start` to `end`."""

    term: str
    start: int
    end: int


def highlights(query: str, results: Iterable[Result], schema: Schema) -> list[dict[str, str]]:
    """For each result, by the names of its parts, HTML: words of the query stand in `<mark>`, and all else is escaped.

    The title whole; of the body, where there is one, some `SNIPPET_CHARACTERS` about the place where most of the
    query's words stand together, with "…" where it was cut; and so of those other searched fields that have any.
    """
    terms = _terms(query, schema)
    searched = list(schema.searched())
    return [dict(_parts(result, terms, searched)) for result in results]


def _terms(query: str, schema: Schema) -> Set[str]:
    """What to mark: "in" and "the", which are in every text, only where there is nothing else."""
    variants = _synonyms(schema.synonyms).variants(query_terms(query))
    terms = {term for variant in variants for term in variant}
    return terms - FUNCTION_WORDS or terms


_synonyms = lru_cache(MAX_CATALOGUES)(Synonyms)


def _parts(result: Result, terms: Set[str], searched: Iterable[str]) -> Iterator[tuple[str, str]]:
    yield "title", _marked(result.title, 0, len(result.title), _hits(result.title, terms))
    if result.body:
        yield "body", _snippet(result.body, _hits(result.body, terms))
    document = Document(result.id, result.title, fields=result.fields)
    for name in searched:
        content = text(document, name)
        if hits := _hits(content, terms):
            yield name, _snippet(content, hits)


def _hits(content: str, terms: Set[str]) -> list[Hit]:
    return [Hit(*located) for located in located_tokens(content[:SEEN_CHARACTERS]) if located[0] in terms]


def _snippet(content: str, hits: Sequence[Hit]) -> str:
    start, end = _window(content, _cluster(hits))
    before, after = CUT if start else "", CUT if end < len(content) else ""
    return f"{before}{_marked(content, start, end, hits)}{after}"


def _cluster(hits: Sequence[Hit]) -> tuple[int, int]:
    """From where to where, in at most a snippet's length, most different words of the query stand; else most words."""
    best, place = (0, 0), (0, 0)
    inside: Counter[str] = Counter()
    first = 0
    for last, hit in enumerate(hits):
        inside[hit.term] += 1
        while hit.end - hits[first].start > SNIPPET_CHARACTERS and first < last:
            inside -= Counter([hits[first].term])
            first += 1
        if (found := (len(inside), inside.total())) > best:
            best, place = found, (hits[first].start, hit.end)
    return place


def _window(content: str, cluster: tuple[int, int]) -> tuple[int, int]:
    """A snippet's place about a cluster, from one space to another where there are any nearby."""
    first, last = cluster
    room = max(0, SNIPPET_CHARACTERS - (last - first))
    start = max(0, min(first - room // 2, len(content) - SNIPPET_CHARACTERS))
    end = min(len(content), max(last, start + SNIPPET_CHARACTERS))
    if start:
        space = content.rfind(" ", start, first + 1) if start == first else content.find(" ", start, first)
        start = space + 1 if space >= 0 else start
    if end < len(content):
        space = content.rfind(" ", last, end + 1)
        end = space if space >= 0 else end
    return start, end


def _marked(content: str, start: int, end: int, hits: Collection[Hit]) -> str:
    return "".join(_pieces(content, start, end, hits))


def _pieces(content: str, start: int, end: int, hits: Collection[Hit]) -> Iterator[str]:
    at = start
    for first, last in _joined(hits):
        first, last = max(first, start), min(last, end)
        if first < last:
            yield html.escape(content[at:first])
            yield f"<mark>{html.escape(content[first:last])}</mark>"
            at = last
    yield html.escape(content[at:end])


def _joined(hits: Collection[Hit]) -> list[tuple[int, int]]:
    """Where hits stand; those that overlap, as pairs of characters do, in one."""
    places: list[tuple[int, int]] = []
    for hit in hits:
        if places and hit.start <= places[-1][1]:
            places[-1] = places[-1][0], max(places[-1][1], hit.end)
        else:
            places.append((hit.start, hit.end))
    return places
