import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.catalogue.document import MAX_DEPTH, MAX_DOCUMENT_BYTES, MAX_ID_BYTES, Document, documents_from
from search.errors import InvalidDocument

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
IDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=100).filter(
    lambda name: name not in (".", "..")
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
RECORDS = st.builds(
    lambda fields, needed: fields | needed,
    st.dictionaries(st.text(min_size=1).filter(lambda name: name != "body"), VALUES, max_size=4),
    st.fixed_dictionaries(
        {
            "id": IDS,
            "title": st.text(min_size=1).filter(str.strip),
            "aliases": st.lists(st.text(), min_size=1, max_size=3),
            "popularity": st.integers(0, 10**9) | st.floats(0, 1e9),
        }
    ),
)


def record(**changes: Any) -> dict[str, Any]:
    return {"id": "1", "title": "Reykjavík"} | changes


@settings(deadline=None)
@given(RECORDS)
def test_record_comes_back_as_given(given_record: dict[str, Any]) -> None:
    assert Document.from_record(given_record).to_record() == given_record


def test_what_is_not_reserved_is_a_field() -> None:
    document = Document.from_record(record(country="Iceland", area={"km2": 273}))

    assert document.fields == {"country": "Iceland", "area": {"km2": 273}}


def test_number_for_an_id_becomes_text() -> None:
    assert Document.from_record(record(id=3413829)).id == "3413829"


def test_null_is_the_same_as_missing() -> None:
    bare = Document.from_record(record())

    assert Document.from_record(record(body=None, aliases=None, popularity=None)) == bare


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (["not", "an object"], "not a JSON object"),
        ({"title": "x"}, '"id" is missing'),
        ({"id": "x"}, '"title" is missing'),
        (record(id=""), '"id" must have 1 to'),
        (record(id=1.5), '"id" is a number; use text or a whole number'),
        (record(id=True), '"id" is true or false'),
        (record(id="é" * MAX_ID_BYTES), f"1 to {MAX_ID_BYTES} bytes"),
        (record(title="  "), '"title" is empty'),
        (record(title=7), '"title" is a number; use text'),
        (record(body=["x"]), '"body" is a list; use text'),
        (record(aliases="x"), "list of texts"),
        (record(aliases=["x", 1]), "list of texts"),
        (record(popularity="high"), '"popularity" is text; use a number, or give the field another name'),
        (record(popularity=True), '"popularity" is true or false'),
        (record(popularity=-1), "between 0 and"),
        (record(popularity=10**400), "between 0 and"),
        (record(price=math.nan), "NaN"),
        (record(prices=[{"low": -math.inf}]), "infinity"),
        (record(id=10**5000), "endless number"),
        (record(body="x" * MAX_DOCUMENT_BYTES), "shorten"),
        (record(colour={1, 2}), "JSON does not have"),
        (record(body="half \ud83d"), "surrogate"),
        (record(**{"\udc00": 1}), "surrogate"),
    ],
)
def test_bad_record_is_refused_with_advice(bad: Any, told: str) -> None:
    with pytest.raises(InvalidDocument) as caught:
        Document.from_record(bad)

    assert told in str(caught.value)


@pytest.mark.parametrize("depth", [MAX_DEPTH, 330, 490, 985, 100_000])
def test_deep_nesting_is_refused(depth: int) -> None:
    """Some depths passed one recursion and failed in the next: RecursionError, and from the server a 500."""
    lists: list[Any] = []
    objects: dict[str, Any] = {}
    for _ in range(depth):
        lists, objects = [lists], {"a": objects}

    for nested in (lists, objects):
        for field in ("nested", "aliases", "title"):
            with pytest.raises(InvalidDocument, match="nested more than"):
                Document.from_record(record(**{field: nested}))


def test_nesting_up_to_the_bound_is_kept() -> None:
    nested: list[Any] = []
    for _ in range(MAX_DEPTH - 2):
        nested = [nested]

    assert Document.from_record(record(nested=nested)).fields["nested"] == nested


def test_error_tells_the_position() -> None:
    documents = documents_from([record(), record(), record(title=None)])

    with pytest.raises(InvalidDocument, match=r'^document 3: "title" is missing') as caught:
        list(documents)

    assert caught.value.position == 3
