"""What every index must do, run over each kind there is."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from search.document import MAX_ID_BYTES, Document
from search.errors import IndexUnavailable, InvalidDocument
from search.index import SearchIndex, open_index
from search.named import Named
from search.result import SearchOptions
from search.sound import pronounce
from search.sound_keys import heard_keys

REYKJAVIK = Document(id="is", title="Reykjavík", body="Capital of Iceland", fields={"lat": 64.1, "tags": ["cold"]})
LODZ = Document(id="pl", title="Łódź", body="City in Poland")
OHARE = Document(id="us", title="O\u2019Hare Airport", body="Chicago, United States")

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
        """A hundred thousand of them took the writer for minutes."""
        started = time.monotonic()

        assert index.upsert(Document(id="is", title=f"Name {i}") for i in range(100_000)) == 100_000

        assert index.get("is") == Document(id="is", title="Name 99999")
        assert index.count() == 1
        assert time.monotonic() - started < 20

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

    def test_outlives_the_one_who_wrote(self, index: SearchIndex, open_again: Callable[[], SearchIndex]) -> None:
        index.upsert([REYKJAVIK])
        index.close()

        with open_again() as again:
            assert again.get("is") == REYKJAVIK

    def test_others_see_it_at_once(self, index: SearchIndex, open_again: Callable[[], SearchIndex]) -> None:
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

        [named] = index.sounding_like(heard_keys(["sigon"]), 10)

        assert named == Named("1", ["Ho Chi Minh City", "Sài Gòn"], ["hoCiminsiti", "segon"])

    def test_follows_what_is_replaced_and_deleted(self, index: SearchIndex) -> None:
        index.upsert([REYKJAVIK, LODZ])
        index.upsert([Document(id="is", title="Akureyri")])
        index.delete(["pl"])

        def found(name: str) -> list[str]:
            return [named.id for named in index.sounding_like(heard_keys(pronounce(name)), 10)]

        assert (found("reykjavik"), found("akureyri"), found("lodz")) == ([], ["is"], [])

    def test_those_that_share_most_are_within_the_limit(self, index: SearchIndex) -> None:
        index.upsert(Document(id=f"{i}", title=f"{start}ington") for i, start in enumerate("BDFGKLMPRSTVW"))
        index.upsert([Document(id="w", title="Washington")])

        assert [named.id for named in index.sounding_like(heard_keys(pronounce("washing ton")), 1)] == ["w"]
        assert len(index.sounding_like(heard_keys(pronounce("washing ton")), 5)) == 5

    def test_nothing_to_find(self, index: SearchIndex) -> None:
        assert index.sounding_like([], 5) == []
        index.upsert([REYKJAVIK, Document(id="jp", title="東京")])
        assert index.sounding_like([], 5) == []
        assert index.sounding_like(["nothing", "", " "], 5) == []


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
    @pytest.mark.parametrize("url", ["postgres://localhost/x", "tantivy:", "elastic:9200"])
    def test_unknown_kind(self, url: str) -> None:
        with pytest.raises(IndexUnavailable, match="use tantivy:FOLDER"):
            open_index(url)

    def test_closed_index_says_so(self, index: SearchIndex) -> None:
        index.close()

        for use in (index.count, lambda: index.search("x"), lambda: index.upsert([LODZ]), lambda: index.get("x")):
            with pytest.raises(IndexUnavailable, match="closed"):
                use()

    def test_several_at_once_share_one_new_index(self, open_again: Callable[[], SearchIndex]) -> None:
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
