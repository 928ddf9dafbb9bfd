"""Contextual biasing: phrases that are expected, as a trie of tokens, and what a text has earned by containing them.

A text's score is its log-probability and, for each phrase in it, a bounded boost (shallow fusion with on-the-fly
rescoring: Hall et al., "Composition-based on-the-fly rescoring for salient n-gram biasing", Interspeech 2015). A phrase
earns token by token, so that it can be followed where it is still unlikely, and what a part of it has earned is given
back where the text goes on otherwise.
"""

import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Self

import numpy as np
from numpy.typing import NDArray

from asr.decoding.stepper import BiasedTokens
from asr.whisper.tokenizer import Tokenizer

MOST_BOOST = 20.0  # nats that one phrase can earn
MOST_TOKENS = 32  # of a phrase; longer ones are not expected
ENCODED_AT_ONCE = 20_000  # phrases, by which memory is bounded


@dataclass(frozen=True, eq=False)
class PhraseTrie:
    """Phrases as a trie in flat arrays, 13 bytes a node, of which the first is the root.

    `tokens` (nodes,) lead to the nodes; the children of node i are `first[i]` to `first[i + 1]`, by rising token.
    `boosts` (nodes,) are nats that have been earned there, `ends` (nodes,) tells where a phrase is whole.
    """

    tokens: NDArray[np.int32]
    first: NDArray[np.int32]
    boosts: NDArray[np.float32]
    ends: NDArray[np.bool_]

    @classmethod
    def of(cls, tokenizer: Tokenizer, phrases: Mapping[str, float], most: float = MOST_BOOST) -> Self:
        """Of phrases, each with the nats that it earns by every token, at most `most` together.

        They are expected as written, without accents, and with a capital or a small letter first.
        """
        widths: list[int] = []
        tokens: list[NDArray[np.int32]] = []
        boosts: list[float] = []
        written = ((form, boost) for phrase, boost in phrases.items() for form in _forms(phrase) if form.strip())
        while some := list(islice(written, ENCODED_AT_ONCE)):
            encoded = tokenizer.encode_all([form for form, _ in some])
            fitting = [(ids, boost) for ids, (_, boost) in zip(encoded, some, strict=True) if len(ids) <= MOST_TOKENS]
            widths += [len(ids) for ids, _ in fitting]
            tokens.append(np.array([token for ids, _ in fitting for token in ids], np.int32))
            boosts += [boost for _, boost in fitting]
        flat = np.concatenate(tokens) if tokens else np.zeros(0, np.int32)
        return cls._built(flat, np.array(widths, np.int32), np.array(boosts, np.float32), most)

    @classmethod
    def _built(
        cls, flat: NDArray[np.int32], widths: NDArray[np.int32], boosts: NDArray[np.float32], most: float
    ) -> Self:
        """From the tokens of phrases one after the other, how many each has, and what each of them earns.

        Sorted phrases that begin alike lie together: level by level, a node begins where the beginning differs.
        """
        table = np.full((len(widths), int(widths.max(initial=0))), -1, np.int32)
        table[np.arange(table.shape[1]) < widths[:, None]] = flat
        order = np.lexsort(table.T[::-1]) if table.size else np.zeros(0, np.int64)
        table, widths, boosts = table[order], widths[order], boosts[order]
        levels = [(np.full(1, -1, np.int32), np.zeros(1, np.float32), np.zeros(1, np.bool_))]
        counts: list[NDArray[np.int64]] = []
        above = np.zeros(len(table), np.int64)  # each phrase's node in the level before
        differs = np.arange(len(table)) == 0
        for depth in range(table.shape[1]):
            column = table[:, depth]
            differs[1:] |= column[1:] != column[:-1]
            alive = widths > depth
            begins = np.flatnonzero(alive & differs)
            here = np.searchsorted(begins, np.arange(len(table)), side="right") - 1
            counts.append(np.bincount(above[begins], minlength=len(levels[-1][0])))
            ends = np.zeros(len(begins), np.bool_)
            ends[here[widths == depth + 1]] = True
            earned = np.full(len(begins), -np.inf, np.float32)
            np.maximum.at(earned, here[alive], boosts[alive])
            levels.append((column[begins], np.minimum(earned * (depth + 1), most).astype(np.float32), ends))
            above = here
        counts.append(np.zeros(len(levels[-1][0]), np.int64))
        first = np.concatenate(([1], 1 + np.cumsum(np.concatenate(counts)))).astype(np.int32)
        tokens, earned, ends = (np.concatenate(arrays) for arrays in zip(*levels, strict=True))
        return cls(tokens, first, earned, ends)

    @property
    def nbytes(self) -> int:
        return self.tokens.nbytes + self.first.nbytes + self.boosts.nbytes + self.ends.nbytes

    def child(self, node: int, token: int) -> int | None:
        """The node that a token leads to from another."""
        start, end = self.first[node : node + 2].tolist()
        place = bisect_left(self.tokens, token, start, end)
        return place if place < end and self.tokens[place] == token else None

    @cached_property
    def beginnings(self) -> BiasedTokens:
        """The tokens with which phrases begin."""
        return self.favoured(0)

    def favoured(self, node: int) -> BiasedTokens:
        """The tokens with which phrases go on."""
        start, end = self.first[node], self.first[node + 1]
        return BiasedTokens(self.tokens[start:end], self.boosts[start:end])


@dataclass(frozen=True)
class Match:
    """The beginning of a phrase in a text, as a node of the trie; `before` had been earned where it began."""

    node: int
    before: float


@dataclass(frozen=True)
class BiasState:
    """What a text has earned so far: `boost` by whole phrases, `whole` where its last word ends here.

    `matches` are the phrases that it may be in the middle of; they begin at any word. `said` are the nodes of those
    that were whole: said again they earn nothing, or a text would be best that says them on and on.
    """

    trie: PhraseTrie
    matches: tuple[Match, ...] = ()
    boost: float = 0.0
    whole: float = 0.0
    said: frozenset[int] = frozenset()

    def after(self, token: int, *, continues_word: bool) -> "BiasState":
        """The same when the text has gone on with a token."""
        boost = self.boost if continues_word else self.whole
        matches = tuple(self._followed((*self.matches, Match(0, boost)), token))
        ended = {match.node: match.before + float(self.trie.boosts[match.node]) for match in matches}
        ended = {node: earned for node, earned in ended.items() if self.trie.ends[node]}
        return BiasState(self.trie, matches, boost, max([boost, *ended.values()]), self.said | ended.keys())

    def _followed(self, matches: Sequence[Match], token: int) -> Iterator[Match]:
        for match in matches:
            node = self.trie.child(match.node, token)
            if node is not None and node not in self.said:
                yield Match(node, match.before)

    @property
    def hoped_for(self) -> float:
        """With what the phrases have earned that are not whole."""
        return max(self.whole, *(match.before + float(self.trie.boosts[match.node]) for match in self.matches), 0.0)

    @cached_property
    def favoured(self) -> BiasedTokens:
        """What earns more, or would: every token with what the text has earned and hoped for with it."""
        if not self.matches and not self.whole:
            return self.trie.beginnings
        groups = [(self.trie.favoured(match.node), match.before) for match in (*self.matches, Match(0, self.whole))]
        return BiasedTokens(
            np.concatenate([group.tokens for group, _ in groups]),
            np.concatenate([group.boosts + np.float32(before) for group, before in groups]),
        )


def _forms(phrase: str) -> Iterable[str]:
    """How a transcript may write it; empty where it is nothing but accents."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", phrase) if not unicodedata.combining(c))
    capital = (form[:1].upper() + form[1:] for form in (phrase, plain))
    return dict.fromkeys((phrase, plain, *capital, phrase.lower(), plain.lower()))
