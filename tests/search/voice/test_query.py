import pytest

from search.catalogue.document import Document
from search.index import SearchIndex
from search.voice.candidates import Candidate, Placement
from search.voice.hypothesis import RecognisedText
from search.voice.query import Proposal, normalise, search_rewrites


@pytest.mark.parametrize(
    ("heard", "query"),
    [
        ("Hotels in Reykjavík.", "hotels in reykjavík"),
        ("  Where is\n O'Hare? ", "where is o'hare"),
        ("Saint-Denis, 3.5 km away!", "saint-denis 3.5 km away"),
        ("\u201cWait\u2026\u201d \u2013 she said", "wait she said"),
        ("(Röyksopp), AC/DC & $20", "röyksopp ac/dc 20"),
        ("नई दिल्ली।", "नई दिल्ली"),
        ("¿Dónde está?", "dónde está"),
        ("東京のホテル。", "東京のホテル"),
        ("...", ""),
        ("", ""),
    ],
)
def test_query_is_what_someone_would_type(heard: str, query: str) -> None:
    assert normalise(heard) == query
    assert normalise(query) == query


def test_what_was_heard_is_found(index: SearchIndex) -> None:
    index.upsert([Document(id="1", title="Reykjavík"), Document(id="2", title="Łódź")])

    answer = search_rewrites(Proposal(RecognisedText("Hotels in Reykjavik.")), index)

    assert answer.query == "hotels in reykjavik"
    assert [result.title for result in answer.page.results] == ["Reykjavík"]


def test_silence_finds_nothing(index: SearchIndex) -> None:
    index.upsert([Document(id="1", title="Reykjavík")])

    assert search_rewrites(Proposal(RecognisedText("")), index).page.results == []


@pytest.mark.parametrize(
    ("least_confidence", "query", "found"),
    [
        (0.5, "hotels in gaborone", [("Gaborone", "sound"), ("Hotels", "text")]),
        (0.76, "hotels in gaburong", [("Hotels", "text"), ("Gaborone", "sound")]),
        (0.95, "hotels in gaburong", [("Hotels", "text")]),
    ],
)
def test_a_name_comes_before_or_after_what_the_text_finds_by_how_probable_it_is(
    index: SearchIndex, least_confidence: float, query: str, found: list[tuple[str, str]]
) -> None:
    index.upsert([Document(id="g", title="Gaborone"), Document(id="h", title="Hotels"), Document(id="i", title="In")])
    heard, name = "Hotels in Gaburong.", "Hotels in Gaborone."
    candidate = Candidate(("g",), "Gaborone", 0.9, 5.0, 0.0, (Placement(heard, 10, 18, name, 0.9),))

    answer = search_rewrites(
        Proposal(RecognisedText(heard, least_confidence, (7.2, 2.5, 9.4)), [candidate], 5000), index
    )

    assert answer.query == query
    assert [(result.title, result.match) for result in answer.page.results] == found
    assert answer.page.total == len(found)
    scores = [result.score for result in answer.page.results]
    assert scores == sorted(scores, reverse=True)
