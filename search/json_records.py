"""Records in JSON, one after the other out of an array or out of lines, each weighed before it is parsed.

A parser that is given megabytes keeps every other thread of the process waiting until it is done with them. So a
record's end is looked for first, and only what is within bounds is parsed.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from search.document import MAX_DEPTH, MAX_DOCUMENT_BYTES
from search.errors import InvalidDocument

# JSON may write a character in six bytes that has two in UTF-8.
MAX_RECORD_BYTES = 3 * MAX_DOCUMENT_BYTES
# Parsing takes as long as a record has values, and with a number's digits time grows with their square.
MAX_VALUES = 20_000
MAX_DIGITS = 400

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# A bracket, a comma, or a string: one that is not closed runs on to the end.
_TOKEN = re.compile(rb'[\[\]{},]|"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
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
    """The records of a file that has one a line. Raises InvalidDocument with the position and line of a bad one."""
    position = line = end = 0
    while data := file.readline(MAX_RECORD_BYTES + 1):
        line += 1
        end += len(data)
        data = data.removeprefix(BYTE_ORDER_MARK) if line == 1 else data
        if data.isspace():
            continue
        position += 1
        if len(data) > MAX_RECORD_BYTES:
            raise InvalidDocument(f"longer than {MAX_RECORD_BYTES:,} bytes; is it one record a line?", position, line)
        _end(data, _skip_space(data, 0), position, line)
        yield Record(_parsed(data, position, line), line, end)


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


def _end(data: bytes, start: int, position: int, line: int) -> int:
    """Where the value ends that begins at `start`, as far as brackets and strings tell; it may yet be no JSON.

    Raises InvalidDocument for one that is out of bounds.
    """
    limit = min(len(data), start + MAX_RECORD_BYTES)
    depth = values = 0
    for token in _TOKEN.finditer(data, start, limit):
        first = data[token.start()]
        if first in b"]}":
            depth -= 1
        elif first in b"[{":
            depth += 1
            values += 1
        elif first in b",":
            values += 1
        if depth > MAX_DEPTH:
            raise InvalidDocument(f"its fields are nested more than {MAX_DEPTH} deep; flatten them", position, line)
        if values > MAX_VALUES:
            raise InvalidDocument(f"it holds more than {MAX_VALUES:,} values; leave some out", position, line)
        if depth < 0 or (depth == 0 and first in b","):
            return token.start()
        if depth == 0 and token.end() < limit:
            return token.end()
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
        problem = f"not JSON ({error.msg}: character {error.pos + 1}); every record must be an object"
        raise InvalidDocument(problem, position, line + error.lineno - 1) from error
    except ValueError as error:
        raise InvalidDocument(f"not JSON that can be read: {error}", position, line) from error


def _whole_number(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number has more than {MAX_DIGITS} digits; write it as text")
    return int(digits)


_DECODER = json.JSONDecoder(parse_int=_whole_number)
