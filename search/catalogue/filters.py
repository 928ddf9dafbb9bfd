"""Filters: which documents may be found at all, as `country:IS`, `country:IS,NO`, `population:1000..` say it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from search.catalogue.schema import Schema, number_of
from search.errors import InvalidFilter

MAX_FILTERS = 20
MAX_FILTER_CHARACTERS = 2000
MAX_VALUES = 100

_FILTER = re.compile(r"(?P<excludes>-?)(?P<field>[^:]+):(?P<wanted>.*)", re.DOTALL)
# A value between commas, or in quotes, in which two quotes stand for one.
_VALUE = re.compile(r'\s*(?:"(?P<quoted>(?:[^"]|"")*)"|(?P<plain>[^",]*))\s*(?:,|$)')


@dataclass(frozen=True)
class OneOf:
    """Documents of which the field has one of these values, in whatever case and accents; or none of them."""

    field: str
    values: tuple[str, ...]
    excludes: bool = False


@dataclass(frozen=True)
class Between:
    """Documents of which the field has a number from `least` to `most`, both included, None being endless; or none."""

    field: str
    least: float | None
    most: float | None
    excludes: bool = False


Filter: TypeAlias = OneOf | Between


def parse_filters(texts: Iterable[str], schema: Schema) -> tuple[Filter, ...]:
    """The filters that texts say; a document must pass all of them. Raises `InvalidFilter`."""
    filters = tuple(parse_filter(text, schema) for text in texts)
    if len(filters) > MAX_FILTERS:
        raise InvalidFilter(f"there are {len(filters)} filters; send at most {MAX_FILTERS}")
    return filters


def parse_filter(text: str, schema: Schema) -> Filter:
    """The filter that a text says: `field:value`, `field:value,value`, `field:least..most`; `-` before it excludes.

    Either end of a range may be left out. Values with a comma or a quote stand in quotes. Raises `InvalidFilter` for
    anything else, and for a field that the schema does not let be filtered so.
    """
    match = _FILTER.fullmatch(text.strip())
    if not match or len(text) > MAX_FILTER_CHARACTERS:
        raise InvalidFilter(f'"{text[:100]}" is no filter; write field:value, field:one,another or field:1..10')
    field, wanted, excludes = match["field"].strip(), match["wanted"].strip(), bool(match["excludes"])
    named = schema.fields.get(field)
    if named is None or named.filter is None:
        raise InvalidFilter(f'"{field[:100]}" cannot be filtered by here; {_what_can(schema)}')
    return _between(field, wanted, excludes) if named.filter == "range" else _one_of(field, wanted, excludes)


def check_filters(filters: Iterable[Filter], facets: Iterable[str], schema: Schema) -> None:
    """Raise `InvalidFilter` for filters and facets of fields that the schema does not let be filtered so."""
    wanted = [(asked.field, "value" if isinstance(asked, OneOf) else "range") for asked in filters]
    for field, filtering in [*wanted, *((facet, "value") for facet in facets)]:
        if field not in schema.fields or schema.fields[field].filter != filtering:
            able = ", ".join(name for name, named in schema.fields.items() if named.filter == filtering) or "no field"
            raise InvalidFilter(f'"{field[:100]}" cannot be filtered by {filtering} here; {able} can')


def _one_of(field: str, wanted: str, excludes: bool) -> OneOf:
    found: list[str] = []
    start = 0
    while start < len(wanted):
        match = _VALUE.match(wanted, start)
        value = match and (match["plain"].strip() if match["quoted"] is None else match["quoted"].replace('""', '"'))
        if not match or not value:
            break
        found.append(value)
        start = match.end()
    if not found or start < len(wanted) or wanted.endswith(",") or len(found) > MAX_VALUES:
        problem = f'"{field}:{wanted[:100]}" has no value between its commas, or more than {MAX_VALUES}'
        raise InvalidFilter(f'{problem}; write {field}:one,another, and quotes around what holds a comma: "a, b"')
    return OneOf(field, tuple(found), excludes)


def _between(field: str, wanted: str, excludes: bool) -> Between:
    ends = [end.strip() for end in wanted.split("..")]
    if len(ends) == 1:
        ends *= 2
    numbers = [number_of(end) if end else None for end in ends]
    wrong = (
        len(ends) > 2 or not any(ends) or any(end and number is None for end, number in zip(ends, numbers, strict=True))
    )
    if wrong:
        advice = f"write {field}:10..20, {field}:10.., {field}:..20 or dates: {field}:2026-01-31.."
        raise InvalidFilter(f'"{field}:{wanted[:100]}" is no range; {advice}')
    least, most = numbers
    if least is not None and most is not None and least > most:
        raise InvalidFilter(f'"{field}:{wanted[:100]}" ends before it begins; write the lesser number first')
    return Between(field, least, most, excludes)


def _what_can(schema: Schema) -> str:
    fields = [name for name, named in schema.fields.items() if named.filter]
    if fields:
        return f"these fields can be: {', '.join(fields)}"
    return "no field can be; name those that should in the catalogue's configuration"
