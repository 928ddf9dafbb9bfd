"""What the embedded index keeps of a document, for Tantivy: folded tokens to find it by, and the record to give back.

Tokens are made here, not by Tantivy: its tokenizers only split what `search.text.tokens` has joined.
"""

import json
from typing import Any

import tantivy

from search.catalogue.document import Document
from search.catalogue.schema import Schema, comparable, names, numbers, text, values
from search.phonetic.keys import names_keys
from search.phonetic.names import PhoneticNames
from search.text.ranking import MAX_ALIAS_TERMS, popularity_factor, whole_alias
from search.text.tokens import tokens

# Before the name of an owner's field: its tokens, its values as they are compared and as they are written, its numbers.
TOKENS, VALUE, WRITTEN, NUMBER = "tokens_", "value_", "written_", "number_"

_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def tantivy_schema(schema: Schema) -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("title", tokenizer_name="whitespace", index_option="freq")
    builder.add_text_field("alias", tokenizer_name="whitespace", index_option="basic")
    builder.add_text_field("alias_terms", tokenizer_name="whitespace", index_option="basic")
    builder.add_text_field("body", tokenizer_name="whitespace", index_option="freq")
    builder.add_text_field("sound", tokenizer_name="whitespace", index_option="basic")
    builder.add_bytes_field("named", stored=True)
    builder.add_unsigned_field("title_length", fast=True)
    builder.add_float_field("popularity", fast=True)
    builder.add_float_field("weight", fast=True)
    builder.add_bytes_field("record", stored=True)
    for name in schema.searched():
        builder.add_text_field(TOKENS + name, tokenizer_name="whitespace", index_option="freq")
    for name in schema.filtered("value"):
        builder.add_text_field(VALUE + name, tokenizer_name="raw", index_option="basic")
        builder.add_text_field(WRITTEN + name, tokenizer_name="raw", index_option="basic", fast=True)
    for name in schema.filtered("range"):
        builder.add_float_field(NUMBER + name, fast=True)
    return builder.build()


def entry(document: Document, schema: Schema) -> dict[str, Any]:
    """The values of a document for the fields of `tantivy_schema`."""
    called = names(document, schema)
    title, *others = map(tokens, called)
    of_aliases = [terms for terms in others[: len(document.aliases)] if terms]
    named = PhoneticNames.of(document.id, zip(called, (title, *others), strict=True))
    return {
        "id": document.id,
        "title": " ".join(title),
        "title_length": len(title),
        "alias": " ".join(whole_alias(terms) for terms in of_aliases if len(terms) <= MAX_ALIAS_TERMS),
        "alias_terms": " ".join(term for terms in of_aliases for term in terms),
        "sound": " ".join(names_keys(named.phones)),
        "named": _json([named.id, named.names, named.phones]).encode(),
        "body": " ".join(tokens(document.body)),
        "popularity": float(document.popularity or 0),
        "weight": weight(document.popularity),
        "record": _json(document.to_record()).encode(),
        **_fields(document, schema),
    }


def weight(popularity: float | None) -> float:
    """The number by which Tantivy multiplies a score by `popularity_factor`: it does so by log2(2 + number)."""
    return 2 ** popularity_factor(popularity) - 2


def _fields(document: Document, schema: Schema) -> dict[str, Any]:
    entries: dict[str, Any] = {TOKENS + name: " ".join(tokens(text(document, name))) for name in schema.searched()}
    for name in schema.filtered("value"):
        written = list(dict.fromkeys(values(document, name)))
        entries[VALUE + name] = list(dict.fromkeys(map(comparable, written)))
        entries[WRITTEN + name] = written
    for name in schema.filtered("range"):
        entries[NUMBER + name] = numbers(document, name)
    return entries
