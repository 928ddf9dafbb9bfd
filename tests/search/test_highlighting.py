"""Snippets: the right words are marked, and whatever a document says, nothing but the marks is HTML."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.catalogue.schema import Field, Schema
from search.highlighting import SNIPPET_CHARACTERS, highlights
from search.result import Result
from search.text.tokens import located_tokens, tokens

MARKS = re.compile("</?mark>")
# Letters that fold, scripts of all kinds, and what HTML is made of.
TEXTS = st.text(
    st.sampled_from("aAbé\u0301ßİøı<>&\"';/ _-.\n½ﬁ東京タワガคำक्षि👍\u200d\x00") | st.characters(codec="utf-8")
)


def marked(query: str, title: str, body: str = "", schema: Schema = Schema(), **fields: object) -> dict[str, str]:  # noqa: B008
    (told,) = highlights(query, [Result("1", 1.0, title, body, fields)], schema)
    return told


@pytest.mark.parametrize(
    ("query", "text", "said"),
    [
        ("REYKJAVIK", "Reykjavík", "<mark>Reykjavík</mark>"),
        ("reykjavík", "Reykjavi\u0301k!", "<mark>Reykjavi\u0301k</mark>!"),
        ("ohare airport", "O'Hare", "<mark>O&#x27;Hare</mark>"),
        ("strasse", "Hauptstraße, die Straße", "Hauptstraße, die <mark>Straße</mark>"),
        ("a_b", "b_c", "<mark>b</mark>_c"),
        ("東京", "東京タワー", "<mark>東京</mark>タワー"),
        ("東京タワー", "新東京タワーへ", "新<mark>東京タワー</mark>へ"),
        (
            "script",
            "<script>alert('x')</script>",
            "&lt;<mark>script</mark>&gt;alert(&#x27;x&#x27;)&lt;/<mark>script</mark>&gt;",
        ),
        ("mark", "<mark>", "&lt;<mark>mark</mark>&gt;"),
        ("hotels in rome", "Hotels in Rome", "<mark>Hotels</mark> in <mark>Rome</mark>"),
        ("the who", "The Who", "<mark>The</mark> <mark>Who</mark>"),
        ("", "Rome", "Rome"),
    ],
)
def test_words_meet_as_in_a_search(query: str, text: str, said: str) -> None:
    assert marked(query, text)["title"] == said


def test_a_long_body_is_cut_where_most_of_the_query_stands() -> None:
    filler = "lorem ipsum dolor sit amet " * 20
    snippet = marked(
        "cheap coffee in oslo", "x", f"{filler}coffee {filler}good coffee, and cheap, is had in Oslo. {filler}"
    )
    assert "good <mark>coffee</mark>, and <mark>cheap</mark>, is had in <mark>Oslo</mark>." in snippet["body"]
    plain = MARKS.sub("", snippet["body"])
    assert plain.startswith("…")
    assert plain.endswith("…")
    assert len(plain) <= SNIPPET_CHARACTERS + 2
    assert f" {plain.strip('…')} " in f" {filler}coffee {filler}good coffee, and cheap, is had in Oslo. {filler}"


def test_a_body_without_the_words_is_shown_from_its_beginning() -> None:
    snippet = marked("oslo", "Oslo", "word " * 100)["body"]
    assert snippet.startswith("word word")
    assert snippet.endswith("word…")


def test_other_fields_that_are_searched_are_there_where_they_have_a_word() -> None:
    schema = Schema({"brand": Field(boost=1.5), "maker": Field(boost=1.0), "color": Field(filter="value")})
    told = marked("acme red", "Chair", schema=schema, brand=["Acme", "Other"], maker="None", color="red")
    assert told == {"title": "Chair", "brand": "<mark>Acme</mark>\nOther"}


@given(TEXTS, st.lists(TEXTS, max_size=3), TEXTS)
def test_without_the_marks_it_is_a_part_of_the_text(query: str, others: list[str], text: str) -> None:
    body = " ".join([*others, text, query, *others])
    told = marked(f"{query} {text[:3]}", text, body)
    assert html.unescape(MARKS.sub("", told["title"])) == text
    if body:
        shown = html.unescape(MARKS.sub("", told["body"]))
        assert shown in body or shown.removeprefix("…").removesuffix("…") in body
    for part in told.values():
        bare = re.sub("<mark>[^<>]+</mark>", "", part)
        assert not re.search("[<>\"']", bare)
        assert not re.search("&(?!(amp|lt|gt|quot|#x27);)", bare)


@given(TEXTS)
def test_tokens_are_located_where_they_stand(text: str) -> None:
    for token, start, end in located_tokens(text):
        assert 0 <= start < end <= len(text)
        assert token in tokens(text[start:end])


@given(st.text(st.sampled_from("abcXYZéøß'-, .")) | st.text(st.sampled_from("aé ,東京タワ")))
def test_located_tokens_are_those_of_the_whole(text: str) -> None:
    assert [token for token, _, _ in located_tokens(text)] == tokens(text)
