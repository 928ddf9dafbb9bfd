"""Reading the owner's catalogue from a file: JSON objects one after the other, a JSON array, or a table (CSV)."""

import csv
import os
import stat
from collections import Counter
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import TypeAlias

from search.catalogue.document import MAX_DOCUMENT_BYTES, RESERVED, Document
from search.catalogue.json_records import (
    BYTE_ORDER_MARK,
    MAX_RECORD_BYTES,
    Record,
    first_character,
    json_array,
    json_lines,
)
from search.errors import CatalogueError, InvalidDocument

# A record and the line, from 1, on which it begins.
Numbered: TypeAlias = tuple[int, object]

JSON_SUFFIXES = {".json", ".jsonl", ".ndjson"}
TABLE_SUFFIXES = {".csv", ".tsv", ".tab"}
DELIMITERS = ",;\t"
ALIAS_SEPARATOR = "|"


def read_catalogue(path: Path | str) -> "CatalogueFile":
    """The documents of a catalogue file, in its order.

    The file is JSON objects (each begins a line, and may have several), a JSON array of objects, or a table: comma,
    semicolon or tab between cells, the columns' names in the first line, `|` between aliases. All are UTF-8, with
    or without a byte order mark. An array is read whole, all else is streamed.
    Raises `CatalogueError`.
    """
    return CatalogueFile(Path(path))


class CatalogueFile:
    """The documents of a file, read as they are asked for; `bytes_read` of `size` tells how far it is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bytes_read = 0
        with self._opened() as file:
            self.size = os.fstat(file.fileno()).st_size

    def __iter__(self) -> Iterator[Document]:
        self.bytes_read = 0
        with self._opened() as file:
            for line, record in self._records(file):
                try:
                    document = Document.from_record(record)
                except InvalidDocument as error:
                    raise self._error(line, error.problem) from error
                yield document

    def _opened(self) -> BufferedReader:
        try:
            # Where a pipe is opened, it may never open; and it could not be read again.
            if not stat.S_ISREG(self.path.stat().st_mode):
                raise self._error(None, "is no file; write the catalogue to one and name that")
            return self.path.open("rb")
        except OSError as error:
            raise self._error(None, f"cannot be opened: {error.strerror}") from error
        except ValueError as error:
            raise self._error(None, f"cannot be opened: {error}") from error

    def _records(self, file: BufferedReader) -> Iterator[Numbered]:
        start = first_character(file.peek())
        suffix = self.path.suffix.lower()
        if not start:
            raise self._error(None, "is empty; write a record a line")
        if suffix in TABLE_SUFFIXES or (suffix not in JSON_SUFFIXES and start not in b"[{"):
            return self._table(file)
        return self._json(json_array(file.read()) if start == b"[" else json_lines(file))

    def _json(self, records: Iterator[Record]) -> Iterator[Numbered]:
        try:
            for record in records:
                self.bytes_read = record.end
                yield record.line, record.value
        except InvalidDocument as error:
            raise self._error(error.line, error.problem) from error

    def _table(self, file: BufferedReader) -> Iterator[Numbered]:
        rows = self._rows(file)
        line, header = next(rows, (1, []))
        columns = self._columns(header, line)
        for line, cells in rows:
            if any(cells[len(columns) :]):
                problem = f"{len(cells)} cells, but {len(columns)} columns; put quotes around a cell with a comma"
                raise self._error(line, problem)
            yield line, {name: _cell(name, text) for name, text in zip(columns, cells, strict=False) if text}

    def _rows(self, file: BufferedReader) -> Iterator[tuple[int, list[str]]]:
        """The rows that are not blank, each with the line on which it begins."""
        # The limit is the process's and its default smaller than a document may be.
        csv.field_size_limit(MAX_DOCUMENT_BYTES)
        delimiter = _delimiter(file.peek())
        reader = csv.reader((text for _, text in self._lines(file)), delimiter=delimiter, strict=True)
        while True:
            line = reader.line_num + 1
            try:
                row = next(reader, None)
            except csv.Error as error:
                raise self._error(line, f"not a table's row ({error}); are its quotes closed?") from error
            if row is None:
                return
            if any(cell.strip() for cell in row):
                yield line, row

    def _columns(self, header: list[str], line: int) -> list[str]:
        names = [name.strip() for name in header]
        columns = [name.lower() if name.lower() in RESERVED else name for name in names]
        for needed in ("id", "title"):
            if needed not in columns:
                problem = f'no column is called "{needed}"; the first line must name the columns'
                raise self._error(line, problem)
        if twice := {name for name, count in Counter(columns).items() if count > 1}:
            raise self._error(line, f'two columns are called "{min(twice)}"; rename one')
        return columns

    def _lines(self, file: BufferedReader) -> Iterator[tuple[int, str]]:
        line = 0
        while raw := file.readline(MAX_RECORD_BYTES + 1):
            line += 1
            self.bytes_read += len(raw)
            if len(raw) > MAX_RECORD_BYTES:
                raise self._error(line, f"longer than {MAX_RECORD_BYTES:,} bytes; is it one record a line?")
            yield line, self._decoded(raw.removeprefix(BYTE_ORDER_MARK) if line == 1 else raw, line)

    def _decoded(self, raw: bytes, line: int) -> str:
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            line += raw.count(b"\n", 0, error.start)
            raise self._error(line, "not UTF-8; save the file with that encoding") from error

    def _error(self, line: int | None, problem: str) -> CatalogueError:
        return CatalogueError(self.path, line, problem)


def _delimiter(start: bytes) -> str:
    """The delimiter that the header has most of."""
    header = start.removeprefix(BYTE_ORDER_MARK).lstrip().split(b"\n", 1)[0]
    return max(DELIMITERS, key=lambda delimiter: header.count(delimiter.encode()))


def _cell(name: str, text: str) -> object:
    """A cell's value: text, but for the two reserved columns that are not."""
    if name == "aliases":
        return [alias.strip() for alias in text.split(ALIAS_SEPARATOR) if alias.strip()]
    if name == "popularity":
        return _number(text)
    return text


def _number(text: str) -> int | float | str:
    """The number a cell holds, or the cell itself: what is no number is refused with the rest."""
    try:
        return int(text) if text.strip().isdecimal() else float(text)
    except ValueError:
        return text
