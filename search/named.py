"""The names of a document as search by sound sees them."""

from dataclasses import dataclass
from typing import NamedTuple

from search.document import Document
from search.sound import MAX_PHONES, pronounce

# More are only found by their spelling.
MAX_NAMES = 100


class Name(NamedTuple):
    """A name as it is written, and its phones (see `phones`)."""

    text: str
    phones: str


@dataclass(frozen=True)
class Named:
    """A document, by its id, and its names: the title first, then aliases; of those that sound alike the first."""

    id: str
    names: tuple[Name, ...]


def names_of(document: Document) -> tuple[Name, ...]:
    """The names that can be said, in the order of `Named`."""
    by_sound: dict[str, Name] = {}
    for text in (document.title, *document.aliases[:MAX_NAMES]):
        phones = "".join(pronounce(text))[:MAX_PHONES]
        if phones:
            by_sound.setdefault(phones, Name(text, phones))
    return tuple(by_sound.values())
