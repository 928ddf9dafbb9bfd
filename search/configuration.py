"""The owner's catalogues, as one TOML file says them: where each one's index is, and what is done with its fields."""

import re
import tomllib
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from search.catalogue.schema import Field, Filtering, Schema
from search.errors import IndexUnavailable, InvalidConfiguration, InvalidSchema
from search.opening import place_of
from search.text.spelling import not_known

MAX_CATALOGUES = 32
MAX_FILE_BYTES = 10_000_000

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_LOCAL = re.compile(r"(?:tantivy:)?(?P<path>(?![A-Za-z][A-Za-z0-9+]+:).+)")

Table = Mapping[str, Any]


@dataclass(frozen=True)
class CatalogueOptions:
    """One catalogue: the URL of its index, and its schema; None takes the index as it is."""

    index: str
    schema: Schema | None = None


@dataclass(frozen=True)
class Configuration:
    """The catalogues by their names, and the name of the one that is meant where none is named."""

    default: str
    catalogues: Mapping[str, CatalogueOptions]


def read_configuration(path: Path) -> Configuration:
    """What a TOML file says; folders in it are relative to its own.

    Raises `InvalidConfiguration` for a file that cannot be read, and for anything in it that is not understood: the
    message names the file, the table and what to write there.
    """
    return _Reader(path).configuration()


class _Reader:
    """Reads one file; every complaint names it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def configuration(self) -> Configuration:
        file = self._parsed()
        self._check_keys("", file, ("default", "catalogues"))
        tables = self._table("", file, "catalogues")
        if not 0 < len(tables) <= MAX_CATALOGUES:
            raise self._error("catalogues", f"there are {len(tables)} catalogues; write 1 to {MAX_CATALOGUES}")
        catalogues = {name: self._catalogue(name, tables) for name in tables}
        self._check_apart(catalogues)
        return Configuration(self._default(file, catalogues), catalogues)

    def _parsed(self) -> Table:
        try:
            with self._path.open("rb") as file:
                text = file.read(MAX_FILE_BYTES + 1)
            if len(text) > MAX_FILE_BYTES:
                raise self._error("", f"longer than {MAX_FILE_BYTES:,} bytes; is it the right file?")
            return tomllib.loads(text.decode("utf-8-sig"))
        except OSError as error:
            raise self._error("", f"cannot be read: {error.strerror or error}") from error
        except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
            raise self._error("", f"is not TOML: {error}") from error

    def _catalogue(self, name: str, tables: Table) -> CatalogueOptions:
        if not _NAME.fullmatch(name):
            problem = f'"{name[:100]}" cannot be a catalogue\'s name; use letters, digits, "-" and "_"'
            raise self._error("catalogues", problem)
        where = f"catalogues.{name}"
        table = self._table("catalogues", tables, name)
        self._check_keys(where, table, ("index", "boosts", "synonyms", "fields"))
        fields = self._table(where, table, "fields")
        boosts = self._table(where, table, "boosts")
        try:
            schema = Schema(
                {field: self._field(f"{where}.fields", fields, field) for field in fields},
                {part: self._number(f"{where}.boosts", boosts, part) for part in boosts},
                tuple(self._synonyms(where, table.get("synonyms", []))),
            )
        except InvalidSchema as error:
            raise self._error(where, str(error)) from error
        return CatalogueOptions(self._index(where, table), schema)

    def _index(self, where: str, table: Table) -> str:
        url = table.get("index")
        if not isinstance(url, str) or not url.strip():
            raise self._error(where, 'it has no index; write, for example, index = "tantivy:data/places"')
        local = _LOCAL.fullmatch(url.strip())
        return f"tantivy:{self._path.parent / local['path']}" if local else url.strip()

    def _field(self, where: str, fields: Table, name: str) -> Field:
        table = self._table(where, fields, name)
        where = f"{where}.{name}"
        self._check_keys(where, table, ("filter", "boost", "sound"))
        filtering, sound = table.get("filter"), table.get("sound", False)
        if filtering not in (None, *get_args(Filtering)):
            raise self._error(where, 'filter is neither; write filter = "value" or filter = "range"')
        if not isinstance(sound, bool):
            raise self._error(where, "sound is neither; write sound = true or sound = false")
        return Field(filtering, self._number(where, table, "boost") if "boost" in table else None, sound)

    def _synonyms(self, where: str, groups: Any) -> Iterator[tuple[str, ...]]:
        for group in groups if isinstance(groups, list) else [groups]:
            if not isinstance(group, list) or len(group) < 2 or not all(isinstance(name, str) for name in group):
                problem = 'each of synonyms must be a list of texts: synonyms = [["nyc", "new york city"]]'
                raise self._error(where, problem)
            yield tuple(group)

    def _number(self, where: str, table: Table, name: str) -> float:
        value = table[name]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._error(where, f"{name} is no number; write {name} = 1.5")
        return float(value)

    def _default(self, file: Table, catalogues: Mapping[str, CatalogueOptions]) -> str:
        default = file.get("default", next(iter(catalogues)))
        if default not in list(catalogues):
            raise self._error("", f"default is {default!r:.100}, but there are only: {', '.join(catalogues)}")
        return str(default)

    def _check_apart(self, catalogues: Mapping[str, CatalogueOptions]) -> None:
        names: dict[Hashable, str] = {}
        for name, options in catalogues.items():
            if (other := names.setdefault(self._place(name, options), name)) != name:
                raise self._error(f"catalogues.{name}", f"it has the index of {other}; give it one of its own")

    def _place(self, name: str, options: CatalogueOptions) -> Hashable:
        try:
            return place_of(options.index)
        except IndexUnavailable as error:
            raise self._error(f"catalogues.{name}", str(error)) from error

    def _table(self, where: str, table: Table, name: str) -> Table:
        value = table.get(name, {})
        if not isinstance(value, dict):
            raise self._error(where, f"{name} is no table; write [{where + '.' if where else ''}{name}]")
        return value

    def _check_keys(self, where: str, table: Table, known: Iterable[str]) -> None:
        if unknown := [key for key in table if key not in known]:
            raise self._error(where, not_known(unknown[0], known, "a key here"))

    def _error(self, where: str, problem: str) -> InvalidConfiguration:
        return InvalidConfiguration(f"{self._path}{f', [{where}]' if where else ''}: {problem}")
