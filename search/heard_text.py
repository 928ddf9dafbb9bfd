"""A reading of what was heard, and putting a name into it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Self

from search.sound import pronounce
from search.text import WORD_CHARACTER

# A word gives way to a name that takes this share of its sounds.
SHARE_OF_WORD = 0.5

_CORE = re.compile(f"{WORD_CHARACTER}(?:.*{WORD_CHARACTER})?")
_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class HeardText:
    """A reading's text; of its words that have a sound, where they stand in it and their phones."""

    text: str
    words: tuple[tuple[int, int], ...]
    phones: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Self:
        cores = [
            (word.start() + core.start(), word.start() + core.end())
            for word in _WORD.finditer(text)
            if (core := _CORE.search(word.group()))
        ]
        sounds = [(core, sound) for core in cores if (sound := "".join(pronounce(text[slice(*core)])))]
        return cls(text, tuple(core for core, _ in sounds), tuple(sound for _, sound in sounds))

    def characters(self, start: int, end: int) -> tuple[int, int]:
        """Where the words stand that the phones from `start` to `end` (which is later) are of, in characters."""
        ends = list(accumulate(map(len, self.phones)))
        taken = [
            word
            for word, (sound, stop) in enumerate(zip(self.phones, ends, strict=True))
            if min(end, stop) - max(start, stop - len(sound)) >= SHARE_OF_WORD * len(sound)
        ] or [next(word for word, stop in enumerate(ends) if stop > start)]
        return self.words[taken[0]][0], self.words[taken[-1]][1]


def distinct(texts: Iterable[str], limit: int) -> list[HeardText]:
    """The readings of these texts that sound different from those before, at most `limit`; none without a sound."""
    by_sound: dict[tuple[str, ...], HeardText] = {}
    for text in texts:
        reading = HeardText.of(text)
        if reading.phones:
            by_sound.setdefault(reading.phones, reading)
        if len(by_sound) == limit:
            break
    return list(by_sound.values())
