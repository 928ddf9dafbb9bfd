"""The sample catalogue: whoever asks for a well-known city, however they put it, gets that one first."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from search.catalogue import sample_cities as cities
from search.catalogue.document import Document
from search.index import SearchIndex
from search.opening import open_index
from search.result import SearchOptions
from search.voice.hypothesis import RecognisedText
from search.voice.query import Proposal, search_rewrites

WELL_KNOWN = {
    "Addis Ababa": "Ethiopia",
    "Alexandria": "Egypt",
    "Amsterdam": "The Netherlands",
    "Athens": "Greece",
    "Auckland": "New Zealand",
    "Bangkok": "Thailand",
    "Barcelona": "Spain",
    "Beijing": "China",
    "Berlin": "Germany",
    "Birmingham": "United Kingdom",
    "Bogota": "Colombia",
    "Boston": "United States",
    "Brussels": "Belgium",
    "Buenos Aires": "Argentina",
    "Cairo": "Egypt",
    "Cape Town": "South Africa",
    "Chicago": "United States",
    "Copenhagen": "Denmark",
    "Dublin": "Ireland",
    "Edinburgh": "United Kingdom",
    "Florence": "Italy",
    "Geneva": "Switzerland",
    "Glasgow": "United Kingdom",
    "Hamburg": "Germany",
    "Havana": "Cuba",
    "Helsinki": "Finland",
    "Ho Chi Minh City": "Vietnam",
    "Houston": "United States",
    "Istanbul": "Turkey",
    "Jerusalem": "Israel",
    "Kathmandu": "Nepal",
    "Krakow": "Poland",
    "Kuala Lumpur": "Malaysia",
    "Lagos": "Nigeria",
    "Lima": "Peru",
    "Lisbon": "Portugal",
    "Liverpool": "United Kingdom",
    "London": "United Kingdom",
    "Los Angeles": "United States",
    "Madrid": "Spain",
    "Manchester": "United Kingdom",
    "Melbourne": "Australia",
    "Mexico City": "Mexico",
    "Milan": "Italy",
    "Montreal": "Canada",
    "Moscow": "Russia",
    "Munich": "Germany",
    "Naples": "Italy",
    "New Delhi": "India",
    "New York": "United States",
    "Nice": "France",
    "Odense": "Denmark",
    "Oslo": "Norway",
    "Oxford": "United Kingdom",
    "Panama City": "Panama",
    "Paris": "France",
    "Perth": "Australia",
    "Philadelphia": "United States",
    "Prague": "Czechia",
    "Reykjavik": "Iceland",
    "Rio de Janeiro": "Brazil",
    "Rome": "Italy",
    "Saint Petersburg": "Russia",
    "San Francisco": "United States",
    "San Jose": "United States",
    "Santiago": "Chile",
    "Sao Paulo": "Brazil",
    "Seoul": "South Korea",
    "Singapore": "Singapore",
    "Stockholm": "Sweden",
    "Sydney": "Australia",
    "The Hague": "The Netherlands",
    "Tokyo": "Japan",
    "Toronto": "Canada",
    "Tripoli": "Libya",
    "Valencia": "Venezuela",
    "Vancouver": "Canada",
    "Venice": "Italy",
    "Victoria": "Hong Kong",
    "Vienna": "Austria",
    "Warsaw": "Poland",
    "Washington": "United States",
    "York": "United Kingdom",
    "Zürich": "Switzerland",
    "Zurich": "Switzerland",
    # By the names they have elsewhere, or had.
    "Bombay": "India",
    "Cologne": "Germany",
    "Gothenburg": "Sweden",
    "Lisboa": "Portugal",
    "Nueva York": "United States",
    "NYC": "United States",
    "Saigon": "Vietnam",
    "Wien": "Austria",
    "Αθήνα": "Greece",
    "Москва": "Russia",
    "東京": "Japan",
}
PHRASES = [
    "{}",
    "hotels in {}",
    "Show me {}.",
    "Show me cheap hotels in {}.",
    "Find flights to {}!",
    "Where is {}?",
    "What's the weather in {}?",
    "What is there to do in {} today?",
    "restaurants near {}",
    "I want to go to {}, please.",
    "the best coffee in {}",
    "Things to do in {}",
]


@pytest.fixture(scope="module")
def world(sample_index: Path) -> Iterator[SearchIndex]:
    with open_index(f"tantivy:{sample_index}") as index:
        yield index


@pytest.mark.parametrize(("name", "country"), WELL_KNOWN.items())
def test_well_known_city_comes_first(world: SearchIndex, name: str, country: str) -> None:
    found = {
        phrase: search_rewrites(Proposal(RecognisedText(phrase.format(name))), world, SearchOptions(1)).page.results
        for phrase in PHRASES
    }

    wrong = {
        phrase: [(result.title, result.fields["country"]) for result in results]
        for phrase, results in found.items()
        if [result.fields["country"] for result in results] != [country]
    }
    assert not wrong
    assert len({results[0].id for results in found.values()}) == 1


def test_some_springfield(world: SearchIndex) -> None:
    results = search_rewrites(
        Proposal(RecognisedText("Things to do in Springfield")), world, SearchOptions(5)
    ).page.results

    assert {result.title for result in results} == {"Springfield"}


@pytest.mark.parametrize(
    ("query", "state"), [("Springfield Illinois", "Illinois"), ("Portland, Maine", "Maine"), ("Paris, Texas", "Texas")]
)
def test_state_tells_cities_apart(world: SearchIndex, query: str, state: str) -> None:
    [result] = world.search(query, SearchOptions(1)).results

    assert result.fields["state"] == state


def test_country_tells_cities_apart(world: SearchIndex) -> None:
    [result] = world.search("London Canada", SearchOptions(1)).results

    assert (result.title, result.fields["country"]) == ("London", "Canada")


def test_document_of_a_city() -> None:
    by_title = {document.title: document for document in cities.documents() if document.id in {"3413829", "5391959"}}

    reykjavik = by_title["Reykjavík"]
    assert reykjavik.body == f"Capital of Iceland. Population {reykjavik.popularity:,}."
    assert reykjavik.fields["timezone"] == "Atlantic/Reykjavik"
    assert "Reikiavik" in reykjavik.aliases
    assert "Reykjavik" not in reykjavik.aliases
    assert by_title["San Francisco"].body.startswith("City in California, United States. Population ")
    assert all(Document.from_record(document.to_record()) == document for document in by_title.values())
