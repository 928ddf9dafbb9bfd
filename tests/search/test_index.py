"""What every index must do, run over each kind there is."""

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from search.catalogue.document import MAX_ID_BYTES, Document
from search.catalogue.filters import Between, Filter, OneOf, parse_filters
from search.catalogue.schema import Field, Schema, comparable
from search.errors import IndexUnavailable, InvalidDocument, InvalidFilter
from search.index import SearchIndex
from search.opening import open_index
from search.phonetic.keys import query_keys
from search.phonetic.names import PhoneticNames
from search.phonetic.pronunciation import pronounce
from search.result import MAX_DEPTH, MAX_FACET_VALUES, SearchOptions, SearchPage

SHOP = Schema(
    {
        "country": Field("value"),
        "colour": Field("value"),
        "sold": Field("value"),
        "price": Field("range"),
        "since": Field("range"),
        "maker": Field(),
    }
)
GOODS = [
    Document(
        id="a",
        title="Desk lamp",
        popularity=5,
        fields={"country": "IS", "colour": "Blue", "sold": True, "price": 10, "since": "2025-12-31"},
    ),
    Document(
        id="b",
        title="Lamp",
        popularity=7,
        body="for a desk",
        fields={"country": "NO", "colour": ["rosé", "rosé"], "sold": False, "price": 20.0, "since": "2026-01-31"},
    ),
    Document(
        id="c",
        title="Blue lamp",
        fields={
            "country": "SE",
            "colour": ["sky blue", "rosé"],
            "sold": None,
            "price": [30, "40"],
            "since": "1969-07-20",
        },
    ),
    Document(id="d", title="Lamp", fields={"colour": "a, b", "price": {"from": 15}, "since": "long ago"}),
    Document(id="e", title="Lamp", fields={"country": {"code": "IS"}, "colour": "x" * 300, "price": "-1.5"}),
]
REYKJAVIK = Document(id="is", title="Reykjavík", body="Capital of Iceland", fields={"lat": 64.1, "tags": ["cold"]})
LODZ = Document(id="pl", title="Łódź", body="City in Poland")
OHARE = Document(id="us", title="O\u2019Hare Airport", body="Chicago, United States")

Opener = Callable[..., SearchIndex]

on_one_index = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def titles(index: SearchIndex, query: str, limit: int = 10) -> list[str]:
    return [result.title for result in index.search(query, SearchOptions(limit)).results]


class TestUpsert:
    def test_documents_come_back_whole(self, index: SearchIndex) -> None:
        assert index.upsert([REYKJAVIK, LODZ]) == 2

        assert index.count() == 2
        assert index.get("is") == REYKJAVIK
        [result] = index.search("reykjavik").results
        assert (result.id, result.title, result.body) == ("is", "Reykjavík", "Capital of Iceland")
        assert result.fields == {"lat": 64.1, "tags": ["cold"]}

    def test_same_id_replaces(self, index: SearchIndex) -> None:
        index.upsert([REYKJAVIK, LODZ])
        index.upsert([Document(id="is", title="Akureyri")])

        assert index.count() == 2
        assert titles(index, "reykjavik") == []
        assert titles(index, "akureyri") == ["Akureyri"]

    def test_last_of_one_call_stays(self, index: SearchIndex) -> None:
        assert index.upsert([REYKJAVIK, LODZ, Document(id="is", title="Akureyri")]) == 3

        assert index.count() == 2
        assert index.get("is") == Document(id="is", title="Akureyri")

    def test_one_id_again_and_again(self, index: SearchIndex) -> None:
        """A hundred thousand of them took the writer for minutes: its work grew with the square of their number.

        What they may take follows from what documents with ids of their own take, measured first. Nearly all of those
        with one id are dropped before they are indexed, so that each takes less than a quarter of that.
        """

        def seconds(ids: Iterable[str]) -> float:
            documents = [Document(id=id_, title=f"Name {i}") for i, id_ in enumerate(ids)]
            started = time.monotonic()
            assert index.upsert(documents) == len(documents)
            return time.monotonic() - started

        each = seconds(f"other {i}" for i in range(2_000)) / 2_000
        assert seconds(["is"] * 100_000) < 100_000 * each / 4

        assert index.get("is") == Document(id="is", title="Name 99999")
        assert index.count() == 2_001

    def test_zero_characters_are_kept(self, open_again: Opener) -> None:
        """PostgreSQL's text has none; JSON writes them as \\u0000, and may hold that as text, too."""
        zeros = {
            "id": "1",
            "title": "Red\0hat",
            "body": "worn\0today",
            "aliases": ["cap\0"],
            "code": "x\0y",
            "k\0": ["v\0"],
        }
        told = {"id": "2", "title": "\\u0000 hat", "body": '\\u0000"'}
        with open_again(Schema({"code": Field("value", boost=1.0, sound=True)})) as index:
            assert index.upsert(map(Document.from_record, (zeros, told, {"id": "3", "title": "Hat"}))) == 3

            got = [index.get(document_id) for document_id in "12"]
            assert [document and document.to_record() for document in got] == [zeros, told]
            assert sorted(index.titles()) == ["Hat", "Red\0hat", "\\u0000 hat"]
            for query in ("hat", "\0hat", "today\0", "hat\0today"):
                assert "1" in {result.id for result in index.search(query).results}
            assert index.search("hat", SearchOptions(filters=(OneOf("code", ("x\0y",)),))).total == 1
            assert index.delete(["1", "\0"]) == 1

    def test_title_without_a_word(self, open_again: Opener) -> None:
        """PostgreSQL could not read what it was given for no terms at all: nothing of such an upload was put in."""
        with open_again(SHOP) as index:
            for title in ("!!!", "\0"):
                assert index.upsert([Document(id="1", title=title)]) == 1
                assert index.search("!!!").total == index.search("hat").total == 0
                assert index.titles() == [title]
            assert index.upsert([Document(id="2", title="Hat")]) == 1
            assert index.search("hat").total == 1

    def test_nothing_to_do(self, index: SearchIndex) -> None:
        assert index.upsert([]) == 0
        assert index.count() == 0

    def test_all_or_nothing(self, index: SearchIndex) -> None:
        def failing() -> Iterator[Document]:
            yield LODZ
            yield Document(id="is", title="Akureyri")
            raise InvalidDocument("bad", 3)

        index.upsert([REYKJAVIK])
        with pytest.raises(InvalidDocument):
            index.upsert(failing())

        assert index.count() == 1
        assert index.get("is") == REYKJAVIK
        assert index.upsert([LODZ]) == 1
        assert index.count() == 2

    def test_no_search_sees_half(self, index: SearchIndex) -> None:
        seen = []

        def watched() -> Iterator[Document]:
            for i in range(3000):
                yield Document(id=str(i), title="thing")
                if i % 1000 == 999:
                    seen.append((index.count(), len(index.search("thing").results)))

        index.upsert(watched())

        assert seen == [(0, 0)] * 3
        assert index.count() == 3000

    def test_outlives_the_one_who_wrote(self, index: SearchIndex, open_again: Opener) -> None:
        index.upsert([REYKJAVIK])
        index.close()

        with open_again() as again:
            assert again.get("is") == REYKJAVIK

    def test_others_see_it_at_once(self, index: SearchIndex, open_again: Opener) -> None:
        with open_again() as other:
            assert other.search("reykjavik").results == []
            index.upsert([REYKJAVIK])
            assert titles(other, "reykjavik") == ["Reykjavík"]
            other.delete(["is"])
            assert index.count() == 0

    def test_many_threads_at_once(self, index: SearchIndex) -> None:
        def work(thread: int) -> None:
            for i in range(5):
                index.upsert([Document(id=f"{thread}-{i}-{twin}", title=f"Thing {i}") for twin in "ab"])
                found = index.search("thing", SearchOptions(100)).results
                assert len(found) % 2 == 0
                assert {f"{thread}-{i}-a", f"{thread}-{i}-b"} <= {result.id for result in found}

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))

        assert index.count() == 80

    @settings(on_one_index, max_examples=25)
    @given(
        document_id=st.text(
            st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=MAX_ID_BYTES // 4
        ).filter(lambda i: i == i.strip() and i not in (".", ".."))
    )
    def test_any_id_is_found_again(self, index: SearchIndex, document_id: str) -> None:
        document = Document.from_record({"id": document_id, "title": "x", "of": document_id})

        index.upsert([document])

        assert index.get(document_id) == document
        assert index.delete([document_id]) == 1
        assert index.get(document_id) is None


class TestTitles:
    def test_all_that_there_are(self, index: SearchIndex) -> None:
        assert index.titles() == []
        index.upsert([REYKJAVIK, LODZ, OHARE])
        index.delete(["pl"])

        assert sorted(index.titles()) == ["O\u2019Hare Airport", "Reykjavík"]

    def test_every_change_is_a_revision(self, index: SearchIndex) -> None:
        revisions = [index.revision()]
        assert index.revision() == revisions[0]
        for change in (lambda: index.upsert([REYKJAVIK]), lambda: index.delete(["is"])):
            change()
            revisions.append(index.revision())
        index.search("reykjavik")

        assert index.revision() == revisions[-1]
        assert len(set(revisions)) == 3


class TestDelete:
    def test_counts_what_there_was(self, index: SearchIndex) -> None:
        index.upsert([REYKJAVIK, LODZ, OHARE])

        assert index.delete(["is", "is", "nobody", "pl", "\ud83d"]) == 2
        assert index.delete(["is", "pl"]) == 0
        assert index.count() == 1
        assert index.get("is") is None
        assert titles(index, "reykjavik city chicago") == [OHARE.title]

    def test_deleted_may_return(self, index: SearchIndex) -> None:
        index.upsert([REYKJAVIK])
        index.delete(["is"])
        index.upsert([REYKJAVIK])

        assert titles(index, "reykjavik") == ["Reykjavík"]


class TestGet:
    @pytest.mark.parametrize("unknown", ["", "iss", "IS", "half \ud83d", "x" * 100_000])
    def test_unknown_is_none(self, index: SearchIndex, unknown: str) -> None:
        index.upsert([REYKJAVIK])

        assert index.get(unknown) is None


class TestSearch:
    @pytest.mark.parametrize(
        ("query", "title"),
        [
            ("Reykjavík", "Reykjavík"),
            ("hotels in REYKJAVIK, please!", "Reykjavík"),
            ("iceland", "Reykjavík"),
            ("lodz", "Łódź"),
            ("ohare", "O\u2019Hare Airport"),
            ("o'hare", "O\u2019Hare Airport"),
        ],
    )
    def test_spelling_does_not_matter(self, index: SearchIndex, query: str, title: str) -> None:
        index.upsert([REYKJAVIK, LODZ, OHARE])

        assert titles(index, query) == [title]

    def test_any_word_is_enough_and_more_are_better(self, index: SearchIndex) -> None:
        names = ["red shoes", "red running shoes", "blue hat", "red hat"]
        index.upsert(Document(id=str(i), title=name) for i, name in enumerate(names))

        assert titles(index, "running red shoes") == ["red running shoes", "red shoes", "red hat"]

    def test_title_counts_more_than_body(self, index: SearchIndex) -> None:
        index.upsert([Document(id="a", title="Paris", body="Texas"), Document(id="b", title="Texas", body="Paris")])

        assert titles(index, "paris") == ["Paris", "Texas"]

    def test_limit(self, index: SearchIndex) -> None:
        index.upsert(Document(id=f"{i:03}", title="thing") for i in range(300))

        assert [len(index.search("thing", SearchOptions(limit)).results) for limit in (-1, 0, 1, 10, 100)] == [
            0,
            0,
            1,
            10,
            100,
        ]

    def test_equals_go_by_id(self, index: SearchIndex) -> None:
        index.upsert(Document(id=str(i), title="thing") for i in (7, 3, 9))
        index.upsert([Document(id="1", title="thing")])

        assert [result.id for result in index.search("thing", SearchOptions(3)).results] == ["1", "3", "7"]

    def test_score_is_bm25(self, index: SearchIndex) -> None:
        """Title twice, body once, with k1 = 1.2 and b = 0.75, where no alias and no popularity tells."""
        texts = [("red shoes", "shoes for running"), ("red hat", "a hat"), ("blue running shoes", "blue and red red")]
        index.upsert(Document(id=str(i), title=title, body=body) for i, (title, body) in enumerate(texts))

        found = {int(result.id): result.score for result in index.search("red shoes").results}

        bodies = [body.split() for _, body in texts]
        names = [title.split() for title, _ in texts]
        assert found == pytest.approx(
            {i: 2 * bm25("red shoes", i, names) + bm25("red shoes", i, bodies) for i in range(3)}, rel=1e-5
        )

    def test_best_is_first(self, index: SearchIndex) -> None:
        index.upsert(Document(id=str(i), title="red " * (i % 7 + 1) + "hat", body="hat " * i) for i in range(50))

        scores = [result.score for result in index.search("red hat", SearchOptions(50)).results]

        assert len(scores) == 50
        assert scores == sorted(scores, reverse=True)

    @on_one_index
    @given(query=st.text() | st.text(alphabet='"()[]{}+-~*?:\\/^ANDORNTtitle ', max_size=40))
    def test_any_text_is_a_safe_query(self, index: SearchIndex, query: str) -> None:
        if not index.count():
            index.upsert([REYKJAVIK, LODZ, OHARE])

        assert len(index.search(query).results) <= 3
        assert "Reykjavík" in titles(index, f"{query[:1000]} reykjavik")

    @pytest.mark.parametrize("query", ["", "   ", "?!", "\ud83d", "\0", "nothing like it"])
    def test_nothing_to_find(self, index: SearchIndex, query: str) -> None:
        index.upsert([REYKJAVIK])

        assert index.search(query).results == []

    def test_endless_query(self, index: SearchIndex) -> None:
        index.upsert([REYKJAVIK])

        assert titles(index, "reykjavik " * 100_000) == ["Reykjavík"]
        assert titles(index, "x" * 10_000_000) == []

    def test_empty_index(self, index: SearchIndex) -> None:
        assert index.search("anything").results == []


class TestFunctionWords:
    def test_they_do_not_outweigh_what_is_asked_for(self, index: SearchIndex) -> None:
        index.upsert([Document(id="low", title="Show Low"), Document(id="me", title="Me")])
        index.upsert(Document(id=f"s{i}", title="Springfield") for i in range(30))

        assert titles(index, "show me springfield", 40) == ["Springfield"] * 30

    def test_they_are_enough_where_nothing_else_is_known(self, index: SearchIndex) -> None:
        index.upsert([Document(id="who", title="The Who"), Document(id="abba", title="Abba")])

        assert titles(index, "the who") == ["The Who"]
        assert titles(index, "play something by the who") == ["The Who"]

    def test_they_still_tell_names_apart(self, index: SearchIndex) -> None:
        index.upsert([Document(id="1", title="Like Home"), Document(id="2", title="Home Now")])

        assert titles(index, "home now")[0] == "Home Now"


class TestAliases:
    def test_found_like_a_title(self, index: SearchIndex) -> None:
        index.upsert([Document(id="1", title="Ho Chi Minh City", aliases=("Sài Gòn", "HCMC")), REYKJAVIK])

        assert titles(index, "hotels in saigon") == []
        assert titles(index, "hotels in sai gon") == ["Ho Chi Minh City"]
        assert titles(index, "hcmc") == ["Ho Chi Minh City"]

    def test_whole_alias_beats_part_of_a_title(self, index: SearchIndex) -> None:
        york = [Document(id=f"y{i}", title=f"{word} York") for i, word in enumerate(["Old", "East", "West"])]
        index.upsert([Document(id="ny", title="Big Apple", aliases=("New York",)), *york])

        assert titles(index, "new york")[0] == "Big Apple"

    def test_title_beats_the_same_alias(self, index: SearchIndex) -> None:
        index.upsert([Document(id="a", title="Harare", aliases=("Salisbury",)), Document(id="b", title="Salisbury")])

        assert titles(index, "salisbury") == ["Salisbury", "Harare"]

    def test_many_do_not_bury_a_document(self, index: SearchIndex) -> None:
        many = tuple(f"Name{i}" for i in range(100))
        index.upsert([Document(id="a", title="A", aliases=(*many, "Lutetia")), Document(id="b", title="Lutetia Hill")])

        assert titles(index, "lutetia")[0] == "A"

    def test_part_of_an_alias_is_found(self, index: SearchIndex) -> None:
        index.upsert([Document(id="1", title="Quito", aliases=("San Francisco de Quito",))])
        index.upsert([Document(id="2", title="San Francisco")])

        assert titles(index, "san francisco") == ["San Francisco", "Quito"]


class TestSoundingLike:
    def test_titles_and_aliases_are_known_by_their_sound(self, index: SearchIndex) -> None:
        index.upsert([Document(id="1", title="Ho Chi Minh City", aliases=("Sài Gòn", "Saigon")), REYKJAVIK])

        [named] = index.sounding_like(query_keys(["sigon"]), 10)

        assert named == PhoneticNames("1", ["Ho Chi Minh City", "Sài Gòn"], ["hoCiminsiti", "segon"])

    def test_follows_what_is_replaced_and_deleted(self, index: SearchIndex) -> None:
        index.upsert([REYKJAVIK, LODZ])
        index.upsert([Document(id="is", title="Akureyri")])
        index.delete(["pl"])

        def found(name: str) -> list[str]:
            return [named.id for named in index.sounding_like(query_keys(pronounce(name)), 10)]

        assert (found("reykjavik"), found("akureyri"), found("lodz")) == ([], ["is"], [])

    def test_those_that_share_most_are_within_the_limit(self, index: SearchIndex) -> None:
        index.upsert(Document(id=f"{i}", title=f"{start}ington") for i, start in enumerate("BDFGKLMPRSTVW"))
        index.upsert([Document(id="w", title="Washington")])

        assert [named.id for named in index.sounding_like(query_keys(pronounce("washing ton")), 1)] == ["w"]
        assert len(index.sounding_like(query_keys(pronounce("washing ton")), 5)) == 5

    def test_nothing_to_find(self, index: SearchIndex) -> None:
        assert index.sounding_like([], 5) == []
        index.upsert([REYKJAVIK, Document(id="jp", title="東京")])
        assert index.sounding_like([], 5) == []
        assert index.sounding_like(["nothing", "", " "], 5) == []

    def test_only_those_that_pass_the_filters(self, open_again: Opener) -> None:
        with open_again(SHOP) as index:
            index.upsert(Document(id=land, title="Washington", fields={"country": land}) for land in ("US", "GB", "IS"))
            keys = query_keys(pronounce("washing ton"))

            def found(*filters: str) -> set[str]:
                return {named.id for named in index.sounding_like(keys, 10, parse_filters(filters, SHOP))}

            assert found() == {"US", "GB", "IS"}
            assert found("country:us,gb") == {"US", "GB"}
            assert found("country:us,gb", "-country:gb") == {"US"}
            assert found("country:fr") == set()

    def test_fields_of_the_owner_too(self, open_again: Opener) -> None:
        with open_again(Schema({"maker": Field(sound=True)})) as index:
            index.upsert([Document(id="1", title="Thing", fields={"maker": ["Rowenta", "Tefal"]}), REYKJAVIK])

            [named] = index.sounding_like(query_keys(pronounce("ro venta")), 10)
            assert (named.id, named.names) == ("1", ["Thing", "Rowenta", "Tefal"])
            assert titles(index, "rowenta") == ["Thing"]


class TestFilters:
    """Values are whole, in whatever case and accents; ranges include both ends."""

    @pytest.fixture
    def shop(self, open_again: Opener) -> Iterator[SearchIndex]:
        with open_again(SHOP) as index:
            index.upsert(GOODS)
            yield index

    @pytest.mark.parametrize(
        ("filters", "ids"),
        [
            (["country:IS"], "a"),
            (["country:is"], "a"),
            (["country:is,no"], "ab"),
            (["-country:is"], "bcde"),
            (["country:nowhere"], ""),
            (["colour:Rosé"], "bc"),
            (["colour:ROSE"], "bc"),
            (["colour:'"], ""),
            (["colour:sky   blue"], "c"),
            (["colour:blue"], "a"),
            (['colour:"a, b"'], "d"),
            (["-colour:rose,blue"], "de"),
            (["sold:true"], "a"),
            (["sold:false"], "b"),
            (["-sold:true"], "bcde"),
            (["price:10..20"], "ab"),
            (["price:20"], "b"),
            (["price:..20"], "abe"),
            (["price:20.."], "bc"),
            (["price:-5..0"], "e"),
            (["-price:10.."], "de"),
            (["since:2026-01-31"], "b"),
            (["since:2026-01-01.."], "b"),
            (["since:..2026-01-30"], "ac"),
            (["since:2026-01-30T22:30:00-01:00..2026-01-31T01:00+01:00"], "b"),
            (["price:10..", "colour:rose"], "bc"),
            (["price:10..", "colour:rose", "-country:no"], "c"),
        ],
    )
    def test_what_passes(self, shop: SearchIndex, filters: list[str], ids: str) -> None:
        passing = parse_filters(filters, SHOP)

        for query in ("lamp", ""):
            found = shop.search(query, SearchOptions(filters=passing))
            assert "".join(sorted(result.id for result in found.results)) == ids
            assert found.total == len(ids)

    def test_words_count_beside_them(self, shop: SearchIndex) -> None:
        passing = parse_filters(["price:10.."], SHOP)

        assert [result.id for result in shop.search("lamp desk", SearchOptions(filters=passing)).results] == [
            "a",
            "b",
            "c",
        ]
        assert shop.search("chair", SearchOptions(filters=passing)).results == []

    def test_scores_are_those_without_them(self, shop: SearchIndex) -> None:
        without = {result.id: result.score for result in shop.search("desk lamp").results}
        passing = parse_filters(["price:10..", "-country:is"], SHOP)

        found = shop.search("desk lamp", SearchOptions(filters=passing)).results

        assert {result.id: result.score for result in found} == {id_: without[id_] for id_ in "bc"}

    def test_without_words_the_most_popular_first(self, shop: SearchIndex) -> None:
        passing = parse_filters(["-country:nowhere"], SHOP)

        found = shop.search("", SearchOptions(filters=passing))

        assert [result.id for result in found.results] == ["b", "a", "c", "d", "e"]

    def test_without_words_and_filters_nothing(self, shop: SearchIndex) -> None:
        assert shop.search("", SearchOptions(facets=("country",))) == SearchPage([], 0, {"country": {}})

    def test_follow_what_is_replaced_and_deleted(self, shop: SearchIndex) -> None:
        shop.upsert([Document(id="a", title="Lamp", fields={"country": "NO"})])
        shop.delete(["b"])

        found = shop.search("lamp", SearchOptions(filters=parse_filters(["country:is,no"], SHOP)))
        assert ([result.id for result in found.results], found.total) == (["a"], 1)

    @pytest.mark.parametrize(
        "unknown", [OneOf("size", ("L",)), OneOf("price", ("10",)), Between("country", 1, 2), OneOf("maker", ("x",))]
    )
    def test_of_fields_that_have_none(self, shop: SearchIndex, unknown: Filter) -> None:
        with pytest.raises(InvalidFilter, match=unknown.field):
            shop.search("lamp", SearchOptions(filters=(unknown,)))
        with pytest.raises(InvalidFilter, match=unknown.field):
            shop.sounding_like(["x"], 1, [unknown])

    @on_one_index
    @given(value=st.text(max_size=20).filter(lambda value: comparable(value) != "no"))
    def test_any_text_is_a_safe_value(self, shop: SearchIndex, value: str) -> None:
        assert shop.search("lamp", SearchOptions(filters=(OneOf("country", (value, "IS")),))).total == 1


class TestFacets:
    @pytest.fixture
    def shop(self, open_again: Opener) -> Iterator[SearchIndex]:
        with open_again(SHOP) as index:
            index.upsert(GOODS)
            yield index

    def test_count_what_matches(self, shop: SearchIndex) -> None:
        """As documents write it, the most frequent first; of the others the first by its text."""
        facets = shop.search("lamp", SearchOptions(limit=1, facets=("colour", "sold"))).facets

        assert {name: list(counts.items()) for name, counts in facets.items()} == {
            "colour": [("rosé", 2), ("Blue", 1), ("a, b", 1), ("sky blue", 1)],
            "sold": [("false", 1), ("true", 1)],
        }

    def test_only_what_passes_the_filters(self, shop: SearchIndex) -> None:
        options = SearchOptions(filters=parse_filters(["price:20.."], SHOP), facets=("country",))

        assert shop.search("lamp", options).facets == {"country": {"NO": 1, "SE": 1}}
        assert shop.search("nothing like it", options).facets == {"country": {}}

    def test_the_most_frequent_of_many(self, open_again: Opener) -> None:
        values = [f"v{n:03}" for n in range(150) for _ in range(1 + (n == 140))]
        with open_again(SHOP) as index:
            index.upsert(Document(id=f"{n}", title="Lamp", fields={"country": v}) for n, v in enumerate(values))

            [counts] = index.search("lamp", SearchOptions(facets=("country",))).facets.values()

        first = [f"v{n:03}" for n in range(MAX_FACET_VALUES - 1)]
        assert list(counts.items()) == [("v140", 2), *((value, 1) for value in first)]

    @pytest.mark.parametrize("field", ["price", "maker", "unknown", "title"])
    def test_of_fields_that_have_none(self, shop: SearchIndex, field: str) -> None:
        with pytest.raises(InvalidFilter, match=field):
            shop.search("lamp", SearchOptions(facets=(field,)))


class TestFields:
    def test_are_searched_where_the_schema_says_so(self, open_again: Opener) -> None:
        with open_again(Schema({"maker": Field(boost=1.0)})) as index:
            index.upsert([Document(id="a", title="Lamp", fields={"maker": ["Rowenta GmbH", 7], "shop": "Berlin"})])

            assert titles(index, "rowenta") == titles(index, "7") == ["Lamp"]
            assert titles(index, "berlin") == []

    def test_count_by_their_boost(self, open_again: Opener) -> None:
        schema = Schema({"much": Field(boost=3.0), "little": Field(boost=0.5)})
        with open_again(schema) as index:
            index.upsert(
                [
                    Document(id="a", title="x", fields={"much": "lamp"}),
                    Document(id="b", title="x", body="lamp"),
                    Document(id="c", title="x", fields={"little": "lamp"}),
                ]
            )

            assert [result.id for result in index.search("lamp").results] == ["a", "b", "c"]

    def test_title_and_aliases_have_boosts(self, open_again: Opener) -> None:
        goods = [
            Document(id="a", title="Lamp", body="desk"),
            Document(id="b", title="Desk", aliases=("Lamp",)),
            Document(id="c", title="Desk", body="lamp"),
        ]

        def ranked(schema: Schema) -> list[str]:
            with open_again(schema) as index:
                index.upsert(goods)
                return [result.id for result in index.search("lamp").results]

        assert ranked(Schema()) == ["a", "b", "c"]
        assert ranked(Schema(boosts={"body": 10})) == ["c", "a", "b"]
        assert ranked(Schema(boosts={"aliases": 10})) == ["b", "a", "c"]


class TestSynonyms:
    @pytest.fixture
    def index(self, open_again: Opener) -> Iterator[SearchIndex]:
        schema = Schema(synonyms=(("NYC", "New York", "Big Apple"), ("TV", "television")))
        with open_again(schema) as index:
            names = {"ny": "New York", "nj": "New Jersey", "tv": "Television", "apple": "Apple Store"}
            index.upsert(Document(id=document_id, title=name) for document_id, name in names.items())
            yield index

    @pytest.mark.parametrize(
        ("query", "best"),
        [("nyc", "ny"), ("hotels in nyc", "ny"), ("the big apple", "ny"), ("new york", "ny"), ("tv", "tv")],
    )
    def test_find_what_is_called_otherwise(self, index: SearchIndex, query: str, best: str) -> None:
        assert index.search(query).results[0].id == best

    def test_count_as_if_it_was_said(self, index: SearchIndex) -> None:
        said, meant = (index.search(query).results[0] for query in ("tv", "television"))

        assert said == meant

    def test_nobody_is_found_twice(self, index: SearchIndex) -> None:
        found = index.search("new york nyc big apple tv")

        assert sorted(result.id for result in found.results) == ["apple", "nj", "ny", "tv"]
        assert found.total == 4


class TestPages:
    @pytest.mark.parametrize("query", ["thing", "thing or red thing", ""])
    def test_follow_each_other(self, open_again: Opener, query: str) -> None:
        """Popularity reorders, and equals abound."""
        with open_again(SHOP) as index:
            index.upsert(
                Document(
                    id=f"{i:03}",
                    title="Red thing" if i % 3 else "Thing",
                    body="thing " * (i % 5),
                    popularity=[None, 0, 10, 1e5, 1e9][i % 7 % 5],
                    fields={"country": "IS"},
                )
                for i in range(400)
            )
            passing = parse_filters(["country:is"], SHOP)

            def page(offset: int, limit: int) -> list[str]:
                found = index.search(query, SearchOptions(limit, offset, passing))
                assert found.total == 400
                return [result.id for result in found.results]

            whole = page(0, 400)
            assert len(set(whole)) == 400
            for size in (1, 7, 150):
                assert [id_ for offset in range(0, 400, size) for id_ in page(offset, size)] == whole
            assert page(399, 10) == whole[399:]
            assert page(400, 10) == page(MAX_DEPTH - 10, 10) == []

    def test_equals_without_number_follow_each_other(self, open_again: Opener) -> None:
        with open_again() as index:
            index.upsert(Document(id=f"{i}", title="thing") for i in range(MAX_DEPTH + 500))

            offsets = range(0, MAX_DEPTH, 50)
            pages = [index.search("thing", SearchOptions(50, offset)) for offset in offsets]

        assert len({result.id for page in pages for result in page.results}) == MAX_DEPTH
        assert {page.total for page in pages} == {MAX_DEPTH + 500}

    def test_total_whatever_is_shown(self, index: SearchIndex) -> None:
        index.upsert(Document(id=f"{i}", title="thing" if i % 2 else "other") for i in range(300))

        totals = [index.search("thing", SearchOptions(limit)).total for limit in (-1, 0, 1, 100)]
        assert totals == [150] * 4
        assert index.search("nothing like it").total == 0


class TestReplace:
    def test_these_are_all_there_are(self, index: SearchIndex) -> None:
        index.upsert([REYKJAVIK, LODZ])

        assert index.replace([LODZ, OHARE, Document(id="us", title="Midway")]) == 3

        assert index.count() == 2
        assert index.get("is") is None
        assert index.get("us") == Document(id="us", title="Midway")
        assert set(titles(index, "reykjavik lodz ohare midway")) == {"Midway", "Łódź"}
        assert index.sounding_like(query_keys(pronounce("reykjavik")), 10) == []

    def test_others_see_it_and_it_stays(self, index: SearchIndex, open_again: Opener) -> None:
        index.upsert([REYKJAVIK])
        with open_again() as other:
            assert titles(other, "reykjavik") == ["Reykjavík"]
            index.replace([LODZ])
            assert (titles(other, "reykjavik"), titles(other, "lodz")) == ([], ["Łódź"])
            other.replace([OHARE])
            assert (index.count(), titles(index, "ohare")) == (1, [OHARE.title])
            index.upsert([REYKJAVIK])
            assert other.count() == 2
        index.close()
        with open_again() as again:
            assert again.count() == 2

    def test_with_nothing(self, index: SearchIndex) -> None:
        index.upsert([REYKJAVIK])

        assert index.replace([]) == 0
        assert (index.count(), titles(index, "reykjavik")) == (0, [])
        assert index.replace([]) == 0
        assert index.upsert([LODZ]) == 1
        assert titles(index, "lodz") == ["Łódź"]

    def test_all_or_nothing(self, index: SearchIndex) -> None:
        def failing() -> Iterator[Document]:
            yield LODZ
            raise InvalidDocument("bad", 2)

        index.upsert([REYKJAVIK])
        with pytest.raises(InvalidDocument):
            index.replace(failing())

        assert (index.count(), index.get("is")) == (1, REYKJAVIK)
        assert index.replace([LODZ]) == 1

    def test_the_old_are_found_meanwhile(self, index: SearchIndex) -> None:
        index.upsert([REYKJAVIK])
        seen = []

        def watched() -> Iterator[Document]:
            for i in range(1000):
                yield Document(id=f"{i}", title="Thing")
                if i % 500 == 499:
                    seen.append((index.count(), titles(index, "reykjavik"), titles(index, "thing")))

        index.replace(watched())

        assert seen == [(1, ["Reykjavík"], [])] * 2
        assert (index.count(), titles(index, "reykjavik")) == (1000, [])

    def test_no_search_fails_meanwhile(self, index: SearchIndex) -> None:
        """Each finds one whole catalogue or another."""
        index.upsert(Document(id=f"{i}", title="thing") for i in range(10))
        done = threading.Event()

        def search() -> set[tuple[int, int]]:
            seen = set()
            while not done.is_set():
                found = index.search("thing", SearchOptions(100))
                seen.add((len(found.results), found.total))
            return seen

        with ThreadPoolExecutor(3) as pool:
            searches = [pool.submit(search) for _ in range(3)]
            for size in (20, 30, 40):
                index.replace(Document(id=f"{i}", title="thing") for i in range(size))
                index.upsert([REYKJAVIK])
            done.set()
            seen = {pair for search_ in searches for pair in search_.result()}

        assert seen <= {(size, size) for size in (10, 20, 30, 40)}
        assert index.count() == 41

    def test_gives_it_another_schema(self, index: SearchIndex, open_again: Opener) -> None:
        index.upsert([REYKJAVIK])
        with open_again() as other:
            assert index.replace(GOODS, SHOP) == 5

            for one in (index, other):
                assert one.schema == SHOP
                assert one.search("", SearchOptions(filters=parse_filters(["country:is"], one.schema))).total == 1
        with open_again(SHOP) as again:
            again.replace(GOODS[:2])
            assert again.schema == index.schema == SHOP


class TestSchema:
    def test_stays_with_the_index(self, open_again: Opener) -> None:
        schema = Schema({"maker": Field("value", 2.0, True)}, {"title": 3.0}, (("TV", "television"),))
        with open_again(schema) as index:
            assert index.schema == schema
        with open_again() as again:
            assert again.schema == schema

    def test_without_one_there_are_no_fields(self, index: SearchIndex) -> None:
        assert index.schema == Schema()

    def test_boosts_and_synonyms_may_change(self, open_again: Opener) -> None:
        changed = Schema({"maker": Field(boost=9.0)}, {"body": 0.5}, (("lamp", "light"),))
        with open_again(Schema({"maker": Field(boost=1.0)})) as index:
            index.upsert([Document(id="a", title="x", fields={"maker": "Lamp"}), Document(id="b", title="Lamp")])
            assert [result.id for result in index.search("lamp").results] == ["b", "a"]
            assert titles(index, "light") == []

        with open_again(changed) as index:
            assert index.schema == changed
            assert [result.id for result in index.search("light").results] == ["a", "b"]
        with open_again() as again:
            assert again.schema == changed

    @pytest.mark.parametrize(
        "other",
        [
            Schema(),
            Schema({"maker": Field(boost=1.0)}),
            Schema({"maker": Field("range", boost=1.0)}),
            Schema({"maker": Field("value", boost=1.0), "shop": Field("value")}),
            Schema({"maker": Field("value", boost=1.0, sound=True)}),
        ],
    )
    def test_of_another_layout_says_how_to_mend_it(self, open_again: Opener, other: Schema) -> None:
        schema = Schema({"maker": Field("value", boost=1.0), "note": Field()})
        open_again(schema).close()

        with pytest.raises(IndexUnavailable, match="sayseek-server index FILE --replace"):
            open_again(other)

        with open_again() as index:
            assert index.schema == schema
            index.replace([LODZ], other)
        with open_again(other) as index:
            assert index.count() == 1


class TestPopularity:
    def test_breaks_ties(self, index: SearchIndex) -> None:
        people = {"a": 422_000, "b": 8_961_989, "c": None, "d": 0, "e": 41_000}
        index.upsert(Document(id=i, title="London", popularity=count) for i, count in people.items())

        assert [result.id for result in index.search("london").results] == ["b", "a", "e", "c", "d"]

    def test_does_not_make_a_worse_match_better(self, index: SearchIndex) -> None:
        index.upsert([Document(id="a", title="East London", popularity=1e18), Document(id="b", title="London")])

        assert titles(index, "london") == ["London", "East London"]

    def test_brings_the_best_up_from_far_below_the_limit(self, index: SearchIndex) -> None:
        index.upsert(Document(id=f"{i:03}", title="London", popularity=i) for i in range(90))

        assert [result.id for result in index.search("london", SearchOptions(2)).results] == ["089", "088"]


class TestOpening:
    @pytest.mark.parametrize("url", ["postgres:x", "POSTGRESQL://me:s3cret@db/x", "tantivy:", "elastic:9200"])
    def test_unknown_kind(self, url: str) -> None:
        with pytest.raises(IndexUnavailable, match="use tantivy:FOLDER or postgresql"):
            open_index(url)

    @pytest.mark.parametrize("name", ["a\0b", "a\udc80b", "a" * 300])
    @pytest.mark.parametrize("scheme", ["", "tantivy:"])
    def test_folder_that_cannot_be(
        self, scheme: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A zero character, or bytes that are not UTF-8, ended in a ValueError, one after a folder had been made."""
        monkeypatch.chdir(tmp_path)
        with pytest.raises(IndexUnavailable, match=r"cannot be a folder's name|cannot hold an index"):
            open_index(scheme + name)
        assert not list(tmp_path.iterdir())

    def test_closed_index_says_so(self, index: SearchIndex) -> None:
        index.close()

        for use in (index.count, lambda: index.search("x"), lambda: index.upsert([LODZ]), lambda: index.get("x")):
            with pytest.raises(IndexUnavailable, match="closed"):
                use()

    def test_several_at_once_share_one_new_index(self, open_again: Opener) -> None:
        together = threading.Barrier(6)

        def first_use(i: int) -> None:
            together.wait()
            with open_again() as index:
                index.upsert([Document(id=str(i), title="thing")])

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(first_use, range(6)))

        with open_again() as index:
            assert index.count() == 6


def bm25(query: str, document: int, corpus: list[list[str]]) -> float:
    average = sum(map(len, corpus)) / len(corpus)
    length = 1.2 * (0.25 + 0.75 * len(corpus[document]) / average)
    score = 0.0
    for term in query.split():
        matching = sum(term in text for text in corpus)
        times = corpus[document].count(term)
        score += math.log(1 + (len(corpus) - matching + 0.5) / (matching + 0.5)) * times * 2.2 / (times + length)
    return score
