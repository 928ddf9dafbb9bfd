"""Records are cut out of arrays and lines one by one, and what would take long to parse is not parsed."""

import io
import json
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.document import MAX_DEPTH, MAX_DOCUMENT_BYTES
from search.errors import InvalidDocument
from search.json_records import MAX_RECORD_BYTES, MAX_VALUES, Record, json_array, json_lines

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


def test_records_tell_where_they_are() -> None:
    assert list(json_array(b' [1,\n\n {"a": "]"}\n]\n')) == [Record(1, 1, 3), Record({"a": "]"}, 3, 17)]
    assert list(json_lines(io.BytesIO(b'1\n\n{"a": "]"}'))) == [Record(1, 1, 2), Record({"a": "]"}, 3, 13)]


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
