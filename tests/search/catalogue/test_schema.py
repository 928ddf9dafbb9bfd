import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.catalogue.document import Document
from search.catalogue.schema import (
    BOOSTS,
    MAX_FIELDS,
    MAX_VALUE_CHARACTERS,
    Field,
    Schema,
    comparable,
    names,
    number_of,
    numbers,
    text,
    values,
)
from search.errors import InvalidSchema


def of(value: Any) -> Document:
    return Document(id="1", title="Thing", fields={"field": value})


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"title": Field()}, "title"),
        ({"a-b": Field()}, "a-b"),
        ({"1st": Field()}, "1st"),
        ({"": Field()}, "letters"),
        ({"a": Field(boost=0)}, "boost"),
        ({"a": Field(boost=float("nan"))}, "boost"),
        ({f"f{i}": Field() for i in range(MAX_FIELDS + 1)}, f"at most {MAX_FIELDS}"),
    ],
)
def test_what_cannot_be_done_with_fields(fields: dict[str, Field], problem: str) -> None:
    with pytest.raises(InvalidSchema, match=problem):
        Schema(fields)


def test_boosts_are_of_what_every_document_has() -> None:
    assert Schema(boosts={"title": 5}).boosts == {**BOOSTS, "title": 5}
    with pytest.raises(InvalidSchema, match="headline"):
        Schema(boosts={"headline": 5})
    with pytest.raises(InvalidSchema, match="between"):
        Schema(boosts={"title": 1e9})


def test_layout_is_what_only_indexing_changes() -> None:
    first = Schema({"a": Field("value", 2.0), "b": Field()}, {"title": 3.0}, (("x", "y"),))

    assert first.layout == Schema({"a": Field("value", 3.0)}).layout
    assert first.layout != Schema({"a": Field("range", 2.0)}).layout
    assert first.layout != Schema({"a": Field("value")}).layout
    assert first.layout != Schema({"a": Field("value", 2.0, sound=True)}).layout
    # What has a sound is searched anyway.
    assert Schema({"a": Field(sound=True)}).layout == Schema({"a": Field(boost=7.0, sound=True)}).layout


def test_comes_back_from_json() -> None:
    schema = Schema({"a": Field("value", 2.0, sound=True), "b": Field()}, {"title": 3.0}, (("x", "y z"),))

    assert Schema.from_record(json.loads(json.dumps(schema.to_record()))) == schema


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("IS", ["IS"]),
        (["IS", "NO"], ["IS", "NO"]),
        (True, ["true"]),
        (7, ["7"]),
        (7.5, ["7.5"]),
        ([None, "", {"a": 1}, ["x"], "ok"], ["ok"]),
        ("x" * (MAX_VALUE_CHARACTERS + 1), []),
        (None, []),
    ],
)
def test_values(value: Any, found: list[str]) -> None:
    assert values(of(value), "field") == found
    assert values(of(value), "other") == []


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (7, [7]),
        ("7.5", [7.5]),
        (["1", 2, "x", None, True], [1, 2]),
        ("1970-01-02", [86_400]),
        ("1970-01-01T00:00:01Z", [1]),
        ("nan", []),
        (10**400, []),
        ("inf", []),
        ({"a": 1}, []),
    ],
)
def test_numbers(value: Any, found: list[float]) -> None:
    assert numbers(of(value), "field") == found


@given(st.text() | st.integers() | st.floats() | st.datetimes().map(str))
def test_any_value_is_a_number_or_none(value: str | float) -> None:
    number = number_of(value)

    assert number is None or isinstance(number, float)


def test_text_and_names() -> None:
    schema = Schema({"field": Field(sound=True), "note": Field(boost=1.0)})
    document = Document(id="1", title="T", aliases=("A",), fields={"field": ["x", None, "y z"], "note": "n"})

    assert text(document, "field") == "x\ny z"
    assert names(document, schema) == ["T", "A", "x", "y z"]
    assert names(document, Schema()) == ["T", "A"]


def test_values_compare_without_case_accents_and_spaces() -> None:
    assert comparable("  ROSÉ \n d\u2019Anjou ") == comparable("rose dAnjou")
