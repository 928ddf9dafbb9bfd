"""Where in what was heard a name may stand, and how much it would differ: many names in one go."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from search.phonetic.phones import PHONES, costs

# Costs are kept as whole numbers of this fraction of a left-out consonant, which fit 16 bits.
UNIT = 32
# What it costs a name to begin or to end inside a word of what was heard.
INSIDE_WORD = 0.6
# More phones are never heard between two of a name's; also what no name reaches across.
_MAX_INSERTED = 2
_BARRIER = 4000

_COSTS = costs()
_SEPARATOR = len(PHONES)
_REPLACE = np.full((_SEPARATOR, _SEPARATOR + 1), _BARRIER, np.int16)
_REPLACE[:, :_SEPARATOR] = np.round(_COSTS.replace * UNIT)
_SKIP = np.append(np.round(_COSTS.skip * UNIT), _BARRIER).astype(np.int16)
_INDEX = np.full(256, _SEPARATOR, np.uint8)
_INDEX[np.frombuffer(PHONES.encode(), np.uint8)] = np.arange(_SEPARATOR)
# An alignment's start is carried in the lower bits of its cost.
_START_BITS = 10
MAX_HEARD = (1 << _START_BITS) - 1


class QueryPhones:
    """What was heard, in several readings: their phones one after another, a barrier between."""

    def __init__(self, readings: Sequence[Sequence[str]]) -> None:
        """`readings` are the phones of their words; of more than `MAX_HEARD` phones the rest is not looked at."""
        lengths = [[len(word) for word in words] for words in readings]
        text = " ".join("".join(words) for words in readings)[:MAX_HEARD]
        self.phones = _indices(text)
        starts = np.cumsum([0, *(length + 1 for length in map(sum, lengths))])
        self.starts = starts[:-1][starts[:-1] < max(len(text), 1)]
        self.edges = np.full(len(text) + 1, round(INSIDE_WORD * UNIT), np.int16)
        for start, words in zip(self.starts, lengths, strict=False):
            ends = start + np.cumsum([0, *words])
            self.edges[ends[ends <= len(text)]] = 0


class Names:
    """The phones of names, in the order of their number of phones, the most first, as aligning takes them."""

    def __init__(self, phones: Sequence[str]) -> None:
        lengths = np.fromiter(map(len, phones), np.int64, len(phones))
        there = np.arange(lengths.max(initial=0)) < lengths[:, None]
        codes = np.full(there.shape, _SEPARATOR, np.uint8)
        codes[there] = _indices("".join(phones))
        self.order = np.argsort(-lengths, kind="stable")
        self.codes = codes[self.order]  # (names, phones of the longest), filled with the separator

    def weights(self) -> NDArray[np.float64]:
        """What it would cost to leave out each name as a whole: (names,)."""
        skip = np.append(_SKIP[:-1], 0)
        result = np.empty(len(self.order))
        result[self.order] = skip[self.codes].sum(axis=1) / UNIT
        return result


@dataclass(frozen=True)
class Spans:
    """For each name and reading the best place of the name in it.

    `costs` (names, readings) counts left-out consonants; `starts` and `ends` are places in `QueryPhones.phones`.
    """

    costs: NDArray[np.float64]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]


def distances(names: Names, heard: QueryPhones) -> NDArray[np.float64]:
    """The cost of the best place of each name in any reading: (names,), in left-out consonants."""
    last = _align(names, heard, np.int16, 0) + heard.edges
    smallest: NDArray[np.float64] = last.min(axis=1) / UNIT
    return smallest


def spans(names: Names, heard: QueryPhones) -> Spans:
    """The best place of each name in every reading. Four times the work of `distances`."""
    last = _align(names, heard, np.int32, _START_BITS) + (heard.edges.astype(np.int32) << _START_BITS)
    bounds = [*heard.starts, len(heard.phones) + 1]
    ends = np.stack([a + last[:, a:b].argmin(axis=1) for a, b in pairwise(bounds)], axis=1)
    best = np.take_along_axis(last, ends, axis=1)
    return Spans((best >> _START_BITS) / UNIT, best & MAX_HEARD, ends)


def _align(names: Names, heard: QueryPhones, kind: type[np.signedinteger], shift: int) -> NDArray[np.signedinteger]:
    """The cost of each whole name ending before each place of what was heard: (names, heard + 1).

    The dynamic programme of approximate string matching (Sellers, 1980), a phone of all names at a time. In bits
    below `shift` each cost carries where it started.
    """
    # Before the first phone is a barrier: so the rows may lie one after the other, and NumPy takes them for one.
    phones = np.append(_SEPARATOR, heard.phones)
    replace = _REPLACE.take(phones, axis=1).astype(kind) << shift
    skip = np.repeat(_SKIP[:, None], len(phones), axis=1).astype(kind) << shift
    inserted = np.tile(skip[phones, 0], len(names.order))
    first = heard.edges.astype(kind) << shift
    if shift:
        first += np.arange(len(first), dtype=kind)
    rows = np.repeat(first[None], len(names.order), axis=0)
    for column in names.codes.T:
        active = int(np.count_nonzero(column != _SEPARATOR))
        _advance(rows[:active], column[:active], replace, skip, inserted)
    result = np.empty_like(rows)
    result[names.order] = rows
    return result


def _advance(
    rows: NDArray[np.signedinteger],
    phones: NDArray[np.uint8],
    replace: NDArray[np.signedinteger],
    skip: NDArray[np.signedinteger],
    inserted: NDArray[np.signedinteger],
) -> None:
    """One phone further in every name: it stands for the next that was heard, or was left out; then insertions."""
    # Through flat views: the rows lie one after the other in memory.
    costs = replace.take(phones, axis=0).ravel()[1:]
    costs += rows.ravel()[:-1]
    rows += skip.take(phones, axis=0)
    before, after = rows.ravel()[:-1], rows.ravel()[1:]
    np.minimum(after, costs, out=after)
    for _ in range(_MAX_INSERTED):
        np.add(before, inserted[1 : rows.size], out=costs)
        np.minimum(after, costs, out=after)


def _indices(phones: str) -> NDArray[np.uint8]:
    return _INDEX[np.frombuffer(phones.encode("ascii"), np.uint8)]
