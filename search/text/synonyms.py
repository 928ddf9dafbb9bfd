"""What else a query may say: the owner's synonyms put in for each other."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, product

from search.text.tokens import tokens

# The ways that one query is searched in, at most: as it is, and these more.
MAX_VARIANTS = 8

Terms = tuple[str, ...]


class Synonyms:
    """Groups of texts that say the same, by their terms."""

    def __init__(self, groups: Iterable[Sequence[str]]) -> None:
        self._others: dict[Terms, list[Terms]] = {}
        for group in groups:
            members = list(dict.fromkeys(terms for text in group if (terms := tuple(tokens(text)))))
            for member in members:
                known = self._others.setdefault(member, [])
                others = (other for other in members if other != member and other not in known)
                known += list(islice(others, MAX_VARIANTS - 1 - len(known)))  # more are never put in
        self._longest = max(map(len, self._others), default=0)

    def variants(self, terms: Sequence[str]) -> list[list[str]]:
        """What a query of these terms may say, as it is first; `MAX_VARIANTS` at most.

        Of members of groups that overlap the first counts, of those that begin together the longest.
        """
        choices = [[run, *self._others.get(run, ())] for run in self._runs(tuple(terms))]
        said = islice(product(*choices), MAX_VARIANTS)
        return [[term for run in runs for term in run] for runs in said]

    def _runs(self, terms: Terms) -> Iterator[Terms]:
        """The terms in their order, those together that are a member."""
        start = 0
        while start < len(terms):
            lengths = range(min(self._longest, len(terms) - start), 1, -1)
            length = next((n for n in lengths if terms[start : start + n] in self._others), 1)
            yield terms[start : start + length]
            start += length
