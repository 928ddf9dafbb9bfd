"""What an index does with the owner's fields: which can be filtered by, which are searched, and what is a synonym."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, TypeAlias

from search.catalogue.document import JSON, RESERVED, Document
from search.errors import InvalidSchema
from search.text.tokens import fold

Filtering: TypeAlias = Literal["value", "range"]

# What the parts of a document count that every document has, against the body.
BOOSTS: Mapping[str, float] = {"title": 2.0, "aliases": 1.8, "body": 1.0}
MAX_BOOST = 100.0
MAX_FIELDS = 64
MAX_SYNONYMS = 10_000
MAX_VALUE_CHARACTERS = 256

_FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")


@dataclass(frozen=True)
class Field:
    """What is done with one field of the owner's documents.

    `filter` lets it be filtered by: a "value" (text, true or false, numbers as they are written; these are counted as
    facets, too) or a "range" (numbers, and dates in ISO 8601). `boost` has its text searched, and says what a word in
    it counts against one in the body. `sound` lets it be found by how it sounds, as an alias is; it is searched then,
    too, if without a boost of its own. A list has all the values in it.
    """

    filter: Filtering | None = None
    boost: float | None = None
    sound: bool = False


@dataclass(frozen=True)
class Schema:
    """What an index does with its documents' fields; those that it does not name are kept and given back.

    `boosts` is what title, aliases and body count; those that are not given have `BOOSTS`. Each group of `synonyms`
    says the same in several ways. Raises `InvalidSchema`.
    """

    fields: Mapping[str, Field] = field(default_factory=dict)
    boosts: Mapping[str, float] = field(default_factory=dict)
    synonyms: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        for problem in self._problems():
            raise InvalidSchema(problem)
        object.__setattr__(self, "boosts", {**BOOSTS, **self.boosts})

    def _problems(self) -> Iterator[str]:
        if len(self.fields) > MAX_FIELDS:
            yield f"it names {len(self.fields)} fields; name at most {MAX_FIELDS}"
        for name in self.fields:
            if name in RESERVED or not _FIELD_NAME.fullmatch(name):
                yield f'no field of yours can be called "{name}" here; use letters, digits and underscores'
        if unknown := self.boosts.keys() - BOOSTS.keys():
            yield f'"{min(unknown)}" has no boost of its own; {", ".join(BOOSTS)} have'
        boosts = {name: named.boost for name, named in self.fields.items() if named.boost is not None}
        for name, boost in {**self.boosts, **boosts}.items():
            if not 0 < boost <= MAX_BOOST:
                yield f'the boost of "{name}" must lie between 0 and {MAX_BOOST:g}'
        if len(self.synonyms) > MAX_SYNONYMS:
            yield f"it has {len(self.synonyms)} groups of synonyms; give at most {MAX_SYNONYMS}"

    @property
    def layout(self) -> dict[str, dict[str, JSON]]:
        """What an index holds for its fields: that can only be changed by replacing its documents. Boosts can be."""
        return {
            name: {"filter": named.filter, "searched": name in self.searched(), "sound": named.sound}
            for name, named in sorted(self.fields.items())
            if named != Field()
        }

    def filtered(self, filtering: Filtering) -> list[str]:
        """The fields that can be filtered in this way."""
        return [name for name, named in self.fields.items() if named.filter == filtering]

    def searched(self) -> dict[str, float]:
        """The owner's fields that are searched, and their boosts."""
        return {
            name: BOOSTS["body"] if named.boost is None else named.boost
            for name, named in self.fields.items()
            if named.boost is not None or named.sound
        }

    def heard(self) -> list[str]:
        """The owner's fields that are found by their sound."""
        return [name for name, named in self.fields.items() if named.sound]

    def to_record(self) -> dict[str, JSON]:
        """The JSON object that `from_record` takes, to be kept with an index."""
        return {
            "fields": {name: asdict(named) for name, named in self.fields.items()},
            "boosts": dict(self.boosts),
            "synonyms": [list(group) for group in self.synonyms],
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Schema":
        """The schema of which `to_record` gave this."""
        fields = {name: Field(**named) for name, named in record["fields"].items()}
        return cls(fields, record["boosts"], tuple(tuple(group) for group in record["synonyms"]))


def values(document: Document, name: str) -> list[str]:
    """The values of a field that can be filtered by one; those too long for that are left out."""
    return [
        text for value in _listed(document.fields.get(name)) if 0 < len(text := _written(value)) <= MAX_VALUE_CHARACTERS
    ]


@lru_cache(1 << 14)
def comparable(value: str) -> str:
    """A value as filters compare it: in whatever case, accents and spaces."""
    return " ".join(fold(value).split())


def numbers(document: Document, name: str) -> list[float]:
    """The numbers of a field, as a range sees them; what is neither number nor date is left out."""
    found = (number_of(value) for value in _listed(document.fields.get(name)))
    return [number for number in found if number is not None]


def text(document: Document, name: str) -> str:
    """The text of a field, as it is searched."""
    return "\n".join(filter(None, map(_written, _listed(document.fields.get(name)))))


def names(document: Document, schema: Schema) -> list[str]:
    """What a document may be called by its sound: its title, its aliases and all values of the fields that have one."""
    heard = (_written(value) for name in schema.heard() for value in _listed(document.fields.get(name)))
    return [document.title, *document.aliases, *filter(None, heard)]


def number_of(value: JSON) -> float | None:
    """A number, or a date (ISO 8601; UTC where it says nothing else) in seconds since 1970; None for all else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        try:
            date = datetime.fromisoformat(str(value))
        except ValueError:
            return None
        number = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _listed(value: JSON) -> list[JSON]:
    return value if isinstance(value, list) else [value]


def _written(value: JSON) -> str:
    """A value as text; objects and null have none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else ""
