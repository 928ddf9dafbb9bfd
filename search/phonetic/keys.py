"""The keys that names are found by when something like them was heard: runs of their phones, seen coarsely.

Two views of the same phones make up for each other: short runs that tell three kinds of vowels apart, and longer ones
that take all vowels for one. Both take consonants that are easily confused for one, and a repeated phone for one.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

_START, _END = "^", "$"
_CONSONANTS = ("pb", "fvT", "td", "kg", "szSCJ", "mnN")
# The groups of vowels that are one, and how many phones make a key.
_VIEWS = ((("a", "ou", "ei"), 4), (("aeiou",), 6))
# A key that is a whole name, or that begins or ends with a word, reaches over no more words than this.
MAX_WORDS = 4

_REPEATED = re.compile(r"(.)\1+")


def names_keys(names: Iterable[str]) -> set[str]:
    """The keys of names of these phones, their starts and ends among them."""
    marked = " ".join(f"{_START}{phones}{_END}" for phones in names)
    return {
        name[start : start + length]
        for table, length in _TABLES
        for name in _coarse(marked, table).split(" ")
        for start in _starts(name, length)
    }


def query_keys(words: Sequence[str]) -> set[str]:
    """The keys of all names that may have been heard as a part of these words' phones."""
    return {key for table, length in _TABLES for key in _heard(words, table, length)}


def _heard(words: Sequence[str], table: dict[int, str], length: int) -> Iterator[str]:
    """Names may begin and end inside words; where words do, the name may, too."""
    everything = _coarse("".join(words), table)
    if len(everything) >= length:
        yield from (everything[start : start + length] for start in _starts(everything, length))
    for start in range(len(words)):
        following = "".join(words[start : start + MAX_WORDS])
        yield _coarse(_START + following, table)[:length]
        preceding = "".join(words[max(0, start + 1 - MAX_WORDS) : start + 1])
        yield _coarse(preceding + _END, table)[-length:]
        for end in range(start + 1, min(start + MAX_WORDS, len(words)) + 1):
            whole = _coarse(_START + "".join(words[start:end]) + _END, table)
            if len(whole) <= length:
                yield whole


def _starts(phones: str, length: int) -> range:
    """Where the runs of `length` neighbouring phones begin; fewer phones are one."""
    return range(max(1, len(phones) - length + 1))


def _coarse(phones: str, table: dict[int, str]) -> str:
    return _REPEATED.sub(r"\1", phones.translate(table))


def _table(vowels: tuple[str, ...]) -> dict[int, str]:
    return str.maketrans({phone: group[0] for group in (*_CONSONANTS, *vowels) for phone in group})


_TABLES = [(_table(vowels), length) for vowels, length in _VIEWS]
