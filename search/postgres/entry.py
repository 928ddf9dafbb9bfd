"""What PostgreSQL keeps of a document, as a row of `documents`; `migrations` tells what its columns are."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import sha256

from search.catalogue.document import Document
from search.catalogue.schema import Schema, comparable, names, numbers, text, values
from search.phonetic.keys import names_keys
from search.phonetic.names import PhoneticNames
from search.text.ranking import MAX_ALIAS_TERMS, popularity_factor, whole_alias
from search.text.tokens import tokens

# A row's columns in their order, after its number.
COLUMNS = (
    "id",
    "record",
    "named",
    "popularity",
    "weight",
    "terms",
    "repeated",
    "lengths",
    "sounds",
    "compared",
    "written",
    "quantities",
)

# The most that PostgreSQL takes as one tsvector is 1 MiB. Of a text with more different words the last are not found.
MAX_LEXEME_BYTES = 1_000_000
# The most that it takes as one entry of an index is some 2,700 bytes.
MAX_COMPARED_CHARACTERS = 600


def searched_fields(schema: Schema) -> list[str]:
    """The fields of which each term counts by how often it is there, in the order of `lengths`."""
    return ["title", "body", *sorted(schema.searched())]


def lexeme(field: str, term: str) -> str:
    """A term of a field, as `terms` has it. No token has a ":"; aliases have their terms as a field does."""
    return f"{field}:{term}"


def alias_lexeme(terms: Iterable[str]) -> str:
    """A whole alias, as `terms` has it."""
    return f"aliases={whole_alias(list(terms))}"


def compared_value(field: str, value: str) -> str:
    """A field's value as filters compare it."""
    whole = f"{field}:{storable(comparable(value))}"
    return whole if len(whole) <= MAX_COMPARED_CHARACTERS else sha256(whole.encode()).hexdigest()


def storable(value: str) -> str:
    """Text without what PostgreSQL's has not: zero characters, and halves of surrogate pairs."""
    return value.replace("\0", "").encode(errors="ignore").decode()


def row(document: Document, schema: Schema) -> tuple[object, ...]:
    """The document's values for `COLUMNS`."""
    called = names(document, schema)
    title, *others = map(tokens, called)
    of_fields = {"title": title}
    of_fields |= {name: tokens(text(document, name)) for name in schema.searched()}
    of_fields["body"] = tokens(document.body)
    of_aliases = [terms for terms in others[: len(document.aliases)] if terms]
    named = PhoneticNames.of(document.id, zip(called, (title, *others), strict=True))
    counts = Counter(lexeme(field, term) for field, terms in of_fields.items() for term in terms)
    whole = (alias_lexeme(terms) for terms in of_aliases if len(terms) <= MAX_ALIAS_TERMS)
    parts = (lexeme("aliases", term) for terms in of_aliases for term in terms)
    written = {name: list(dict.fromkeys(values(document, name))) for name in schema.filtered("value")}
    return (
        document.id,
        _json(document.to_record()),
        _json([named.names, named.phones]),
        document.popularity,
        popularity_factor(document.popularity),
        _tsvector([*whole, *parts, *counts]),
        _json({term: count for term, count in counts.items() if count > 1}),
        [len(of_fields[field]) for field in searched_fields(schema)],
        # Nothing in a key means anything in an array.
        f"{{{','.join(names_keys(named.phones))}}}",
        list({compared_value(name, value) for name, all_of_it in written.items() for value in all_of_it}),
        _json({name: list(map(storable, all_of_it)) for name, all_of_it in written.items()}),
        _json({name: numbers(document, name) for name in schema.filtered("range")}),
    )


def _tsvector(lexemes: Iterable[str]) -> str:
    """Lexemes as PostgreSQL reads them; nothing in them means anything inside quotes."""
    return " ".join(f"'{each}'" for each in _within_limit(dict.fromkeys(lexemes)))


def _within_limit(lexemes: Iterable[str]) -> Iterator[str]:
    size = 0
    for each in lexemes:
        size += len(each.encode())
        if size > MAX_LEXEME_BYTES:
            return
        yield each


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
