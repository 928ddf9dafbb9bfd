"""The benchmark of indexes asks what the server asks."""

from pathlib import Path

from benchmarks.indexing import asked
from search.catalogue.document import Document
from search.opening import open_index


def test_a_query_of_several_words_is_asked_about(tmp_path: Path) -> None:
    """It had the rarity of one word for all of them, and ended in an error."""
    with open_index(str(tmp_path / "index")) as index:
        index.upsert([Document(id="1", title="Shawnee"), Document(id="2", title="Reykjavík")])
        assert [result.title for result in asked("things to do in shawny", index).page.results] == ["Shawnee"]
