import pytest

from search.catalogue.filters import (
    MAX_FILTERS,
    MAX_VALUES,
    Between,
    Filter,
    OneOf,
    check_filters,
    parse_filter,
    parse_filters,
)
from search.catalogue.schema import Field, Schema
from search.errors import InvalidFilter

SCHEMA = Schema({"country": Field("value"), "price": Field("range"), "note": Field(), "maker": Field(boost=1.0)})


@pytest.mark.parametrize(
    ("text", "filter_"),
    [
        ("country:IS", OneOf("country", ("IS",))),
        (" country : IS , NO ", OneOf("country", ("IS", "NO"))),
        ("-country:IS", OneOf("country", ("IS",), excludes=True)),
        ('country:"a, b",c', OneOf("country", ("a, b", "c"))),
        ('country:"the ""best"""', OneOf("country", ('the "best"',))),
        ("country:a:b", OneOf("country", ("a:b",))),
        ("country:1..2", OneOf("country", ("1..2",))),
        ("country:-x", OneOf("country", ("-x",))),
        ("price:1..2.5", Between("price", 1, 2.5)),
        ("price:-2..-1", Between("price", -2, -1)),
        ("price:1e3..", Between("price", 1000, None)),
        ("price: .. 2", Between("price", None, 2)),
        ("price:7", Between("price", 7, 7)),
        ("-price:7..", Between("price", 7, None, excludes=True)),
        ("price:1970-01-02..1970-01-03T00:00Z", Between("price", 86_400, 172_800)),
        ("price:1970-01-01T01:00+01:00..", Between("price", 0, None)),
    ],
)
def test_what_a_text_says(text: str, filter_: Filter) -> None:
    assert parse_filter(text, SCHEMA) == filter_


@pytest.mark.parametrize(
    "text",
    [
        *["", "country", ":IS", "country:", "country:,", "country:IS,", "country:,IS", 'country:"IS', 'country:"IS"x'],
        *["country:" + ",".join("x" * (MAX_VALUES + 1)), "country:" + "x" * 3000],
        *["price:", "price:..", "price:a..b", "price:1..2..3", "price:2..1", "price:nan", "price:..inf", "price:1,2"],
    ],
)
def test_what_is_no_filter(text: str) -> None:
    with pytest.raises(InvalidFilter, match="write"):
        parse_filter(text, SCHEMA)


@pytest.mark.parametrize("text", ["unknown:x", "note:x", "maker:x", "title:x", "Country:x"])
def test_other_fields_are_named_that_can_be(text: str) -> None:
    with pytest.raises(InvalidFilter, match="these fields can be: country, price"):
        parse_filter(text, SCHEMA)
    with pytest.raises(InvalidFilter, match="no field can be"):
        parse_filter(text, Schema())


def test_so_many_at_most() -> None:
    assert len(parse_filters(["price:1"] * MAX_FILTERS, SCHEMA)) == MAX_FILTERS
    with pytest.raises(InvalidFilter, match=f"at most {MAX_FILTERS}"):
        parse_filters(["price:1"] * (MAX_FILTERS + 1), SCHEMA)


def test_those_of_another_schema_are_refused() -> None:
    check_filters([OneOf("country", ("x",)), Between("price", 1, None)], ["country"], SCHEMA)

    for filters, facets in (([OneOf("price", ("1",))], []), ([Between("country", 1, 2)], []), ([], ["price"])):
        with pytest.raises(InvalidFilter, match="cannot be filtered"):
            check_filters(filters, facets, SCHEMA)
