"""What can be found: a document, and how a record of the owner's becomes one."""

import json
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from search.errors import InvalidDocument

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"

MAX_ID_BYTES = 512
MAX_DOCUMENT_BYTES = 1 << 20
MAX_DEPTH = 32  # what gives answers back as JSON refuses more than some 250
MAX_POPULARITY = 1e18

RESERVED = frozenset({"id", "title", "body", "aliases", "popularity"})


@dataclass(frozen=True)
class Document:
    """One thing that can be found, by its `title`, its other names (`aliases`) and its `body`.

    `popularity`, a number from 0 up (inhabitants, sales, visits), breaks near ties between documents that
    match equally well. `fields` holds everything else of the record: stored, given back, not searched.
    """

    id: str
    title: str
    body: str = ""
    aliases: tuple[str, ...] = ()
    popularity: float | None = None
    fields: Mapping[str, JSON] = field(default_factory=dict)

    @classmethod
    def from_record(cls, record: object) -> "Document":
        """The document that a JSON object describes.

        `id` (text or a whole number) and `title` are needed; `body`, `aliases` and `popularity` may be
        missing or null. Raises `InvalidDocument` for anything else, for NaN and infinity, for an id over
        `MAX_ID_BYTES` and for a record over `MAX_DOCUMENT_BYTES` as JSON.
        """
        if not isinstance(record, Mapping):
            raise InvalidDocument('this is not a JSON object; write {"id": "…", "title": "…"}')
        _check_storable(record)
        return cls(
            id=_id(record),
            title=_title(record),
            body=_text(record, "body"),
            aliases=_aliases(record),
            popularity=_popularity(record),
            fields={key: value for key, value in record.items() if key not in RESERVED},
        )

    def to_record(self) -> dict[str, JSON]:
        """The JSON object that `from_record` takes; what the document does not have is left out."""
        record: dict[str, JSON] = {"id": self.id, "title": self.title}
        if self.body:
            record["body"] = self.body
        if self.aliases:
            record["aliases"] = list(self.aliases)
        if self.popularity is not None:
            record["popularity"] = self.popularity
        return record | dict(self.fields)


def documents_from(records: Iterable[object]) -> Iterator[Document]:
    """The documents of a request's records; an `InvalidDocument` tells the record's position, from 1."""
    for position, record in enumerate(records, start=1):
        try:
            yield Document.from_record(record)
        except InvalidDocument as error:
            raise InvalidDocument(error.problem, position) from error


def at_least_one(documents: Iterator[Document], otherwise: Exception) -> Iterator[Document]:
    """The same documents; raises `otherwise` where there are none: replacing all by nothing is rarely meant."""
    for first in documents:
        yield first
        yield from documents
        return
    raise otherwise


def _check_storable(record: Mapping[str, object]) -> None:
    """Refuse what is not JSON in UTF-8, and what is too large."""
    if _is_deeper(record, MAX_DEPTH):
        raise InvalidDocument(f"its fields are nested more than {MAX_DEPTH} deep; flatten them")
    try:
        size = len(json.dumps(dict(record), ensure_ascii=False, allow_nan=False).encode())
    except UnicodeEncodeError:
        raise InvalidDocument("it holds half a surrogate pair, which is not text; send valid UTF-8") from None
    except ValueError:
        raise InvalidDocument(
            "it holds NaN, infinity or an endless number, which JSON has not; use null or text"
        ) from None
    except TypeError as error:
        raise InvalidDocument(f"it holds something that JSON does not have: {error}") from None
    if size > MAX_DOCUMENT_BYTES:
        raise InvalidDocument(f"it has {size:,} bytes of {MAX_DOCUMENT_BYTES:,} allowed; shorten its text")


def _is_deeper(value: object, levels: int) -> bool:
    """Whether more objects and lists than `levels` lie around the innermost value; looks no deeper than that."""
    if isinstance(value, Mapping):
        return levels == 0 or any(_is_deeper(inner, levels - 1) for inner in value.values())
    if isinstance(value, list | tuple):
        return levels == 0 or any(_is_deeper(inner, levels - 1) for inner in value)
    return False


def _id(record: Mapping[str, object]) -> str:
    value = _needed(record, "id")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise InvalidDocument(f'"id" is {_kind(value)}; use text or a whole number')
    if str(value) in (".", "..") or any(unicodedata.category(c) == "Cc" for c in str(value)):
        raise InvalidDocument('"id" must not be "." or ".." or hold line breaks and the like: it stands in addresses')
    if not 0 < len(str(value).encode()) <= MAX_ID_BYTES:
        raise InvalidDocument(f'"id" must have 1 to {MAX_ID_BYTES} bytes')
    return str(value)


def _title(record: Mapping[str, object]) -> str:
    _needed(record, "title")
    title = _text(record, "title")
    if not title.strip():
        raise InvalidDocument('"title" is empty; write what the document is called')
    return title


def _needed(record: Mapping[str, object], name: str) -> object:
    value = record.get(name)
    if value is None:
        raise InvalidDocument(f'"{name}" is missing; every record needs "id" and "title"')
    return value


def _text(record: Mapping[str, object], name: str) -> str:
    value = record.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidDocument(f'"{name}" is {_kind(value)}; use text')
    return value


def _aliases(record: Mapping[str, object]) -> tuple[str, ...]:
    value = record.get("aliases")
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise InvalidDocument('"aliases" holds other names of the document: use a list of texts')
    return tuple(value)


def _popularity(record: Mapping[str, object]) -> float | None:
    value = record.get("popularity")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidDocument(f'"popularity" is {_kind(value)}; use a number, or give the field another name')
    if not 0 <= value <= MAX_POPULARITY:
        raise InvalidDocument(f'"popularity" must lie between 0 and {MAX_POPULARITY:g}')
    return value


def _kind(value: object) -> str:
    """What JSON calls a value, for messages."""
    names = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list"}
    return names.get(type(value), "an object")
