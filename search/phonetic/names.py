"""The names of a document as search by sound sees them."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from math import log
from typing import Self

from search.phonetic.pronunciation import MAX_PHONES, pronounce

# More are only found by their spelling.
MAX_NAMES = 100


@dataclass(frozen=True)
class PhoneticNames:
    """A document, by its id, and its names: the title first, then aliases; of those that sound alike the first.

    `phones` has the sound of each of `names`: characters of `phones.PHONES`.
    """

    id: str
    names: list[str]
    phones: list[str]

    @property
    def priors(self) -> list[float]:
        """For each name the logarithm of its share: the title stands for itself, the aliases for it together."""
        return [0.0] + [-log(len(self.names))] * (len(self.names) - 1) if self.names else []

    @classmethod
    def of(cls, document_id: str, names: Iterable[tuple[str, list[str]]]) -> Self:
        """With the names that can be said; each is given with its tokens."""
        by_sound: dict[str, str] = {}
        for name, terms in islice(names, MAX_NAMES):
            if phones := "".join(pronounce(name, terms))[:MAX_PHONES]:
                by_sound.setdefault(phones, name)
        return cls(document_id, list(by_sound.values()), list(by_sound))
