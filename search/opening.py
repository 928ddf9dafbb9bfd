"""Open the index that a URL names."""

import os
import re
from collections.abc import Hashable
from pathlib import Path

from search.catalogue.schema import Schema
from search.errors import IndexUnavailable
from search.index import SearchIndex
from search.postgres.address import Address
from search.postgres.index import PostgresIndex
from search.tantivy.index import TantivyIndex
from search.text.tokens import is_text

# Two letters at least: one is a Windows drive.
_URL = re.compile("([A-Za-z][A-Za-z0-9+]+):(.*)", re.DOTALL)


def open_index(url: str, schema: Schema | None = None) -> SearchIndex:
    """Open the index at `tantivy:FOLDER`, at a plain folder, or at `postgresql://…`, and make it where there is none.

    A new one is made with the `schema`, or without fields; one that is there must hold what the schema needs, if one is
    given, and has its boosts and synonyms from then on. Raises `IndexUnavailable` for an unknown kind of index, for a
    folder that holds something else, for a database that cannot be reached, and for an index of another
    `Schema.layout`: opened without a schema, `replace` gives it that.

    A database's address is libpq's; `?catalogue=NAME` tells several catalogues in it apart.
    """
    folder = _folder(url)
    return PostgresIndex(url, schema) if folder is None else TantivyIndex(folder, schema)


def place_of(url: str) -> Hashable:
    """Where an index is: the same for two URLs that name one index. Raises `IndexUnavailable` for what names none."""
    folder = _folder(url)
    return Address.of(url).place if folder is None else os.path.realpath(folder)


def _folder(url: str) -> Path | None:
    """That of an embedded index; None for a database's URL."""
    match = _URL.fullmatch(url)
    scheme, path = match.groups() if match else ("tantivy", url)
    if scheme in ("postgresql", "postgres") and path.startswith("//"):
        return None
    if scheme != "tantivy" or not path:
        raise IndexUnavailable(f'"{scheme}:" is no index that can be opened here; use tantivy:FOLDER or postgresql://…')
    if "\0" in path or not is_text(path):  # Tantivy takes names in UTF-8 only.
        raise IndexUnavailable(f"{path[:100]!a} cannot be a folder's name; use UTF-8 without zero characters")
    return Path(path)
