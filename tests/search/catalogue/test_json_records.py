"""Records are cut out of arrays and lines one by one, and what would take long to parse is not parsed."""

import io
import json
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.catalogue.document import MAX_DEPTH, MAX_DOCUMENT_BYTES
from search.catalogue.json_records import MAX_RECORD_BYTES, MAX_VALUES, Record, json_array, json_lines
from search.errors import InvalidDocument

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("ascii_only", [True, False])
@given(values=st.lists(VALUES, max_size=4))
def test_the_elements_of_an_array_are_those_that_json_finds(values: list, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(values, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    try:
        text.decode()
    except UnicodeDecodeError:
        return
    assert [record.value for record in json_array(text)] == values


@given(values=st.lists(VALUES, max_size=4))
def test_the_records_of_lines_are_those_that_json_finds(values: list) -> None:
    text = "\n".join(map(json.dumps, values)).encode()
    assert [record.value for record in json_lines(io.BytesIO(text))] == values


@given(values=st.lists(VALUES, max_size=4), indent=st.integers(0, 3))
def test_records_may_stand_on_several_lines(values: list, indent: int) -> None:
    text = "\r\n\n".join(json.dumps(value, indent=indent) for value in values).encode()
    assert [record.value for record in json_lines(io.BytesIO(text))] == values


def test_records_on_several_lines_that_are_broken_are_never_taken_for_others() -> None:
    """What is accepted is what a reader of one record after the other finds."""
    rng = random.Random(0)
    whole = b'{\n "id": "1",\n "t": [\n  "a\\"",\n  1.5\n ]\n}\n{"id": "2"}\n{\n "x": {"y": null}\n}\n'
    for _ in range(5_000):
        text = bytearray(whole)
        for _ in range(rng.randint(1, 3)):
            start = rng.randrange(1, len(text))
            text[start : start + rng.randint(0, 2)] = rng.choice([b"", b'"', b"]", b"}", b"[", b"{", b",", b"\n", b":"])
        try:
            values = [record.value for record in json_lines(io.BytesIO(text))]
        except InvalidDocument:
            continue
        rest, expected = text.decode().lstrip(), []
        while rest:
            value, end = json.JSONDecoder().raw_decode(rest)
            expected.append(value)
            rest = rest[end:].lstrip()
        assert values == expected


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        (b'{"a": 1}\n{"a": 1\n{"a": 2}\n', 2, "document 2: not JSON"),  # a line lacks its bracket, and is told
        (b'{"a": 1}\n{"a": "x\n{"a": 2}\n', 2, "document 2: not JSON"),
        (b'{\n "a": 1,\n "b" 2\n}\n', 3, "document 1: not JSON"),
        (b'{\n "a": 1\n}\n\n{\n "a": 1,\n}\n', 7, "document 2: not JSON"),
        (b'{\n "a": [1,\n', 2, "document 1: not JSON"),
        (b'{\n "a": 1\n} {\n "a": 2\n}\n', 3, "document 1: not JSON"),
        (b'{\n "a": 1,\n' + b' "a": 1,\n' * MAX_VALUES + b"}", 1, f"more than {MAX_VALUES:,} values"),
        (b'{\n "a":' + b"\n" * (MAX_RECORD_BYTES + 1) + b"1}", 1, "longer than"),
    ],
)
def test_a_record_that_is_broken_is_told_by_its_line(text: bytes, line: int, told: str) -> None:
    with pytest.raises(InvalidDocument, match=told) as caught:
        list(json_lines(io.BytesIO(text)))
    assert caught.value.line == line


def test_records_tell_where_they_are() -> None:
    assert list(json_array(b' [1,\n\n {"a": "]"}\n]\n')) == [Record(1, 1, 3), Record({"a": "]"}, 3, 17)]
    assert list(json_lines(io.BytesIO(b'1\n\n{"a": "]"}'))) == [Record(1, 1, 2), Record({"a": "]"}, 3, 13)]
    assert list(json_lines(io.BytesIO(b'\n{"a":\n1\n}\n2'))) == [Record({"a": 1}, 2, 11), Record(2, 5, 12)]


def test_arrays_that_are_broken_are_refused_as_json_refuses_them() -> None:
    rng = random.Random(0)
    whole = b'[{"id": "1", "t": ["a\\"", 1.5]}, {"id": "2", "x": {"y": null}}, true]'
    for _ in range(20_000):
        text = bytearray(whole)
        for _ in range(rng.randint(1, 3)):
            start = rng.randrange(1, len(text))
            text[start : start + rng.randint(0, 2)] = rng.choice([b"", b'"', b"]", b"}", b"[", b"{", b",", b"\\", b"x"])
        try:
            expected = json.loads(text)
        except ValueError:
            with pytest.raises(InvalidDocument):
                list(json_array(bytes(text)))
        else:
            assert [record.value for record in json_array(bytes(text))] == expected


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (b"[" * 24_000_000, f"nested more than {MAX_DEPTH} deep"),
        (b'{"a":' * 4_000_000, f"nested more than {MAX_DEPTH} deep"),
        (b'{"a":[' + b"0," * 12_000_000 + b"0]}", f"more than {MAX_VALUES:,} values"),
        (b'{"a":[' + b"[]," * 8_000_000 + b"0]}", f"more than {MAX_VALUES:,} values"),
        (b'{"a":"' + b"a" * 24_000_000 + b'"}', f"longer than {MAX_RECORD_BYTES:,} bytes"),
        (b'"' + b"a" * 24_000_000 + b'"', f"longer than {MAX_RECORD_BYTES:,} bytes"),
        (b'{"a":"' + b'\\"' * 12_000_000, f"longer than {MAX_RECORD_BYTES:,} bytes"),
        (b"0" * 24_000_000, f"longer than {MAX_RECORD_BYTES:,} bytes"),
        (b'{"a":' + b" " * 24_000_000 + b"1}", f"longer than {MAX_RECORD_BYTES:,} bytes"),
        (b'{"a":' + b"9" * 4000 + b"}", "more than 400 digits"),
    ],
)
def test_what_would_take_long_is_refused_unparsed(record: bytes, told: str) -> None:
    """An element of 24 MB kept the whole server waiting for four seconds."""
    started = time.process_time()
    with pytest.raises(InvalidDocument, match=told):
        list(json_array(b"[" + record + b"]"))
    with pytest.raises(InvalidDocument, match=f"{told}|longer than"):
        list(json_lines(io.BytesIO(record)))
    assert time.process_time() - started < 1


def test_a_document_of_the_largest_size_passes_however_its_text_is_escaped() -> None:
    value = {"a": "Ж" * (MAX_DOCUMENT_BYTES // 2 - 10)}
    assert [record.value for record in json_array(json.dumps([value]).encode())] == [value]
