"""Records in JSON, one after the other out of an array or out of lines, each weighed before it is parsed.

A record may stand on a line, or on several, as programs write JSON for people.

A parser that is given megabytes keeps every other thread of the process waiting until it is done with them. So a
record's end is looked for first, and only what is within bounds is parsed.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NoReturn

from search.catalogue.document import MAX_DEPTH, MAX_DOCUMENT_BYTES
from search.errors import InvalidDocument

# JSON may write a character in six bytes that has two in UTF-8.
MAX_RECORD_BYTES = 3 * MAX_DOCUMENT_BYTES
# Parsing takes as long as a record has values, and with a number's digits time grows with their square.
MAX_VALUES = 20_000
MAX_DIGITS = 400

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# A bracket, a comma, or a string: one that is not closed runs on to the end, and has nothing in the group.
_TOKEN = re.compile(rb'[\[\]{},]|"[^"\\]*+(?:\\.[^"\\]*+)*+("?)', re.DOTALL)
_SPACE = re.compile(rb"[ \t\r\n]{1,65536}")


@dataclass(frozen=True, slots=True)
class Record:
    """A record, which may be any JSON: the line, from 1, on which it begins, and how many bytes are read after it."""

    value: object
    line: int
    end: int


def first_character(data: bytes) -> bytes:
    """What a text begins with that is not space; nothing where there is only space."""
    return data.removeprefix(BYTE_ORDER_MARK).lstrip()[:1]


def json_lines(file: BinaryIO) -> Iterator[Record]:
    """The records of a file in which each begins on a line of its own, and may go on over several.

    Raises InvalidDocument with the position and line of a bad one. No more than MAX_RECORD_BYTES are held at once.
    """
    position = line = end = 0
    while data := file.readline(MAX_RECORD_BYTES + 1):
        line += 1
        end += len(data)
        data = data.removeprefix(BYTE_ORDER_MARK) if line == 1 else data
        if data.isspace():
            continue
        position += 1
        first = line
        nesting = _Nesting(position, first)
        parts = [data]
        size = len(data)
        goes_on = nesting.goes_on_after(data)
        while goes_on and (more := file.readline(MAX_RECORD_BYTES + 1 - size)):
            line += 1
            end += len(more)
            size += len(more)
            if more.isspace():
                parts.append(more)
            elif goes_on := _can_follow(data, more):
                data = more
                parts.append(data)
                goes_on = nesting.goes_on_after(data)
        if size > MAX_RECORD_BYTES:
            problem = f"longer than {MAX_RECORD_BYTES:,} bytes; shorten it, or close its brackets"
            raise InvalidDocument(problem, position, first)
        yield Record(_parsed(b"".join(parts).rstrip(), position, first), first, end)


def _can_follow(line: bytes, more: bytes) -> bool:
    """Whether JSON that is not complete may go on from one line to the next: at a bracket, a comma or a colon."""
    return line.rstrip()[-1:] in (b"{", b"[", b",", b":") or more.lstrip()[:1] in (b"}", b"]", b",", b":")


def json_array(data: bytes) -> Iterator[Record]:
    """The elements of an array. Raises InvalidDocument with the position and line of a bad one."""
    position, line, counted = 0, 1, 0
    end = data.index(b"[")
    while data[end : end + 1] != b"]":
        start = _skip_space(data, end + 1)
        if start == len(data):
            break
        if not position and data[start : start + 1] == b"]":
            end = start
            break
        position += 1
        line, counted = line + data.count(b"\n", counted, start), start
        end = _end(data, start, position, line)
        yield Record(_parsed(data[start:end], position, line), line, end)
        end = _skip_space(data, end)
        if data[end : end + 1] not in (b",", b"]"):
            raise InvalidDocument('after this record, "," or the closing "]" is missing', position, line)
    if data[end : end + 1] != b"]" or _skip_space(data, end + 1) < len(data):
        raise InvalidDocument('the array must end with "]", and the text with it')


def _skip_space(data: bytes, position: int) -> int:
    while match := _SPACE.match(data, position):
        position = match.end()
    return position


@dataclass(slots=True)
class _Nesting:
    """Within how many brackets a record has come, and how many values it has; `position` and `line` are its own."""

    position: int
    line: int
    depth: int = 0
    values: int = 0

    def goes_on_after(self, line: bytes) -> bool:
        """Whether the record has no end on its next line. Raises InvalidDocument for one that is out of bounds."""
        return self.end(line, _skip_space(line, 0), len(line)) is None and self.depth > 0

    def end(self, data: bytes, start: int, limit: int) -> int | None:
        """Where the record ends in `data`, as far as brackets and strings tell; None where it does not.

        It may yet be no JSON. Raises InvalidDocument for one that is out of bounds.
        """
        for token in _TOKEN.finditer(data, start, limit):
            first = data[token.start()]
            if first in b"]}":
                self.depth -= 1
            elif first in b"[{":
                self.depth += 1
                self.values += 1
            elif first in b",":
                self.values += 1
            elif not token[1]:
                return limit if limit == len(data) else None  # JSON's strings go over no line's end
            if self.depth > MAX_DEPTH:
                self._refuse(f"its fields are nested more than {MAX_DEPTH} deep; flatten them")
            if self.values > MAX_VALUES:
                self._refuse(f"it holds more than {MAX_VALUES:,} values; leave some out")
            if self.depth < 0 or (self.depth == 0 and first in b","):
                return token.start()
            if self.depth == 0 and token.end() < limit:
                return token.end()
        return None

    def _refuse(self, problem: str) -> NoReturn:
        raise InvalidDocument(problem, self.position, self.line)


def _end(data: bytes, start: int, position: int, line: int) -> int:
    """Where the value ends that begins at `start`: where all of `data` does, if nothing else tells.

    Raises InvalidDocument for one that is out of bounds.
    """
    limit = min(len(data), start + MAX_RECORD_BYTES)
    if (end := _Nesting(position, line).end(data, start, limit)) is not None:
        return end
    if limit < len(data):
        raise InvalidDocument(f"it is longer than {MAX_RECORD_BYTES:,} bytes; shorten it", position, line)
    return limit


def _parsed(data: bytes, position: int, line: int) -> object:
    try:
        return _DECODER.decode(data.decode())
    except UnicodeDecodeError as error:
        line += data.count(b"\n", 0, error.start)
        raise InvalidDocument("not UTF-8; send or save it with that encoding", position, line) from error
    except json.JSONDecodeError as error:
        problem = f"not JSON ({error.msg}: character {error.colno}); every record must be an object"
        raise InvalidDocument(problem, position, line + error.lineno - 1) from error
    except ValueError as error:
        raise InvalidDocument(f"not JSON that can be read: {error}", position, line) from error


def _whole_number(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number has more than {MAX_DIGITS} digits; write it as text")
    return int(digits)


_DECODER = json.JSONDecoder(parse_int=_whole_number)
