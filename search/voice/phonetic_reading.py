"""A reading of what was heard, and putting a name into it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from search.phonetic.pronunciation import pronounce
from search.text.tokens import WORD_CORE

# What comes later is not looked at: it is a minute of speech.
MAX_CHARACTERS = 1024
# Readings are compared for as long as there are fewer phones: time goes by them.
ENOUGH_PHONES = 300
# A word gives way to a name that takes this share of its sounds.
SHARE_OF_WORD = 0.5

_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class PhoneticReading:
    """A reading's text; of its words that have a sound, where they stand in it and their phones."""

    text: str
    words: tuple[tuple[int, int], ...]
    phones: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Self:
        cores = [
            (word.start() + core.start(), word.start() + core.end())
            for word in _WORD.finditer(text, 0, MAX_CHARACTERS)
            if (core := WORD_CORE.search(word.group()))
        ]
        sounds = [(core, sound) for core in cores if (sound := "".join(pronounce(text[slice(*core)])))]
        return cls(text, tuple(core for core, _ in sounds), tuple(sound for _, sound in sounds))

    @cached_property
    def _begins(self) -> list[int]:
        """For each phone the character where a name that begins there does so."""
        return [
            (self.words[word] if share >= SHARE_OF_WORD or word + 1 == len(self.words) else self.words[word + 1])[0]
            for word, sound in enumerate(self.phones)
            for share in (1 - place / len(sound) for place in range(len(sound)))
        ]

    @cached_property
    def _ends(self) -> list[int]:
        """For each phone the character before which a name ends that has it last."""
        return [
            (self.words[word] if share >= SHARE_OF_WORD or word == 0 else self.words[word - 1])[1]
            for word, sound in enumerate(self.phones)
            for share in ((place + 1) / len(sound) for place in range(len(sound)))
        ]

    @cached_property
    def _word_of(self) -> list[int]:
        return [word for word, sound in enumerate(self.phones) for _ in sound]

    def characters(self, start: int, end: int) -> tuple[int, int]:
        """Where the words stand that the phones from `start` to before `end`, one at least, are of, in characters."""
        first, last = self._begins[start], self._ends[end - 1]
        # A name that lies in one word, or in less than half of two, takes the first of them.
        return (first, last) if first < last else self.words[self._word_of[start]]


def distinct(texts: Iterable[str], limit: int) -> list[PhoneticReading]:
    """The readings of these texts that sound different from those before; none without a sound.

    At most `limit`, and no more once they have `ENOUGH_PHONES` together: six of a query, fewer of a speech.
    """
    by_sound: dict[tuple[str, ...], PhoneticReading] = {}
    for text in texts:
        reading = PhoneticReading.of(text)
        if reading.phones:
            by_sound.setdefault(reading.phones, reading)
        if len(by_sound) == limit or sum(len(sound) for words in by_sound for sound in words) >= ENOUGH_PHONES:
            break
    return list(by_sound.values())
