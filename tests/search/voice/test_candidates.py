"""Names that sound like what was heard, end to end over every kind of index."""

from search.catalogue.document import Document
from search.index import SearchIndex
from search.voice.candidates import Candidate, find_candidates

PLACES = ["Shawnee", "Stolberg", "Rawalpindi", "Philadelphia", "Tambov", "Richmond", "Valle de Santiago", "Lalmonirhat"]


def fill(index: SearchIndex, *titles: str) -> None:
    index.upsert(Document(id=str(i), title=title) for i, title in enumerate(titles))


def first(index: SearchIndex, *texts: str) -> Candidate:
    return find_candidates(texts, index, 3)[0]


class TestFindCandidates:
    def test_over_the_boundaries_of_words(self, index: SearchIndex) -> None:
        fill(index, *PLACES)

        assert first(index, "cheap flights to rope andy").name == "Rawalpindi"
        assert first(index, "Weather installed berg this weekend.").name == "Stolberg"
        assert first(index, "Hotel's Enrichment.").name == "Richmond"

    def test_puts_the_name_into_what_was_heard(self, index: SearchIndex) -> None:
        fill(index, *PLACES)

        found = first(index, "Thanks to Duin Choney.", "Things to do in Chawney.")

        assert found.name == "Shawnee"
        assert {placement.sentence for placement in found.placements} == {
            "Thanks to Duin Shawnee.",
            "Things to do in Shawnee.",
        }
        assert all(
            placement.reading[placement.start : placement.end].startswith("Ch") for placement in found.placements
        )

    def test_any_reading_may_have_it(self, index: SearchIndex) -> None:
        fill(index, *PLACES)

        assert first(index, "Thank you.", "Bye.", "tambov").name == "Tambov"

    def test_equal_sound_is_1(self, index: SearchIndex) -> None:
        fill(index, *PLACES)

        assert first(index, "hotels in filadelphia please").similarity == 1
        assert 0.5 < first(index, "hotels in Villa delfya").similarity < 1

    def test_all_who_are_called_so_in_one(self, index: SearchIndex) -> None:
        index.upsert([Document(id="a", title="Łódź"), Document(id="b", title="Lodz"), Document(id="c", title="Loads")])
        index.upsert([Document(id="d", title="Litzmannstadt", aliases=("Lodz",))])

        found = find_candidates(["trains to lodz"], index, 10)

        assert sorted(found[0].document_ids) == ["a", "b", "d"]
        assert [candidate.document_ids for candidate in found].count(("d",)) == 0

    def test_short_names_do_not_flood(self, index: SearchIndex) -> None:
        fill(index, "Philadelphia", *(f"{c}{v}" for c in "bdfgklmnpst" for v in ("a", "e", "i", "o", "ill", "at")))

        assert first(index, "hotels in fill a dell fear").name == "Philadelphia"

    def test_at_most_the_limit(self, index: SearchIndex) -> None:
        fill(index, *(f"Spring{end}" for end in ("field", "dale", "ton", "wood")))

        assert [len(find_candidates(["springfeld"], index, limit)) for limit in (-1, 0, 1, 3, 99)] == [0, 0, 1, 3, 4]

    def test_nothing_heard_and_nothing_there(self, index: SearchIndex) -> None:
        assert find_candidates(["Shawnee"], index, 5) == []
        fill(index, *PLACES)
        assert find_candidates([], index, 5) == []
        assert find_candidates(["", "?!", "東京"], index, 5) == []

    def test_endless_speech_keeps_its_words(self, index: SearchIndex) -> None:
        fill(index, *PLACES)
        rest = " and so on" * 20_000

        found = first(index, "hotels in filadelphia" + rest)

        assert found.placements[0].sentence == "hotels in Philadelphia" + rest
