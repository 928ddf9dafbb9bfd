"""How much a match is worth, the same for every index: BM25's parts, and what popularity adds.

What a field counts against others is the schema's: its boosts.
"""

import math
from collections.abc import Iterator, Sequence

from search.text.tokens import tokens

# BM25's usual parameters, which Tantivy has too: how soon a term's repetition, and a text's length, tells.
K1 = 1.2
B = 0.75

# What a term counts in an alias of which the query has only a part, against what it counts in a whole one.
PART_OF_ALIAS = 0.5 / 1.8

MAX_QUERY_CHARACTERS = 4096
MAX_QUERY_TERMS = 64
# An alias of more terms is found by its terms only.
MAX_ALIAS_TERMS = 6

# Popularity moves a score by at most this share, and reaches it at this value.
MAX_PRIOR = 0.1
FULL_POPULARITY = 1e7

# English words that carry a question without naming what is looked for: "show me the best coffee in …". BM25
# takes a word for telling where the catalogue has it seldom, and a catalogue of names has these seldom.
FUNCTION_WORDS = frozenset(
    tokens(
        """
        a about all an and any are at be best by can closest could do does find for from get give go good has
        have here how i i'm in is it its know let like list look looking many me much my near nearby nearest
        need not now of on open or our please search see show some take tell that the there these this to today
        tomorrow tonight us want was we what what's when where where's which who why will with would you your
        """
    )
)
FUNCTION_WORD_WEIGHT = 0.1


def query_terms(query: str) -> list[str]:
    """What to look for: the query's tokens in their order, `MAX_QUERY_TERMS` at most."""
    return tokens(query[:MAX_QUERY_CHARACTERS])[:MAX_QUERY_TERMS]


def whole_alias(terms: Sequence[str]) -> str:
    """Terms as the one term that stands for an alias of just these; no token has an underscore."""
    return "_".join(terms)


def possible_aliases(terms: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Every run of neighbouring terms of a query that may be an alias, each once."""
    ends = ((i, j) for i in range(len(terms)) for j in range(i + 1, min(i + MAX_ALIAS_TERMS, len(terms)) + 1))
    yield from dict.fromkeys(tuple(terms[i:j]) for i, j in ends)


def term_weight(term: str) -> float:
    return FUNCTION_WORD_WEIGHT if term in FUNCTION_WORDS else 1.0


def inverse_document_frequency(matching: int, documents: int) -> float:
    """How telling a term is that `matching` of `documents` have: BM25's, as Lucene keeps it positive.

    Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond (2009), equation 3.3.
    """
    others = max(documents - matching, 0)
    return math.log(1 + (others + 0.5) / (matching + 0.5))


def length_factor(length: int, average: float) -> float:
    """What BM25 makes of a term that a text of `length` terms has once; 1 where the length is `average`."""
    return (K1 + 1) / (1 + K1 * (1 - B + B * length / average))


def popularity_factor(popularity: float | None) -> float:
    """What popularity multiplies a score by: from 1 (none) to 1 + `MAX_PRIOR`, by its logarithm."""
    if not popularity:
        return 1.0
    return 1 + MAX_PRIOR * min(1.0, math.log1p(popularity) / math.log1p(FULL_POPULARITY))
