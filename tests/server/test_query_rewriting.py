"""What is searched for after something was heard."""

import asyncio
from pathlib import Path

import pytest

from asr.transcript import Quality, Timings, Transcript, Verdict
from search.catalogue.document import Document
from search.result import SearchOptions
from server.catalogues import Catalogues
from server.query_rewriting import find_meant
from server.settings import Settings


@pytest.mark.parametrize(
    ("verdict", "unsure_results", "found"),
    [(Verdict.OK, False, ["Tea"]), (Verdict.UNSURE, True, ["Tea"]), (Verdict.UNSURE, False, [])],
)
def test_what_is_unsure_is_searched_for_only_where_that_is_asked_for(
    tmp_path: Path, verdict: Verdict, unsure_results: bool, found: list[str]
) -> None:
    quality = Quality(duration=1.0, speech_seconds=0.5, level_dbfs=-20.0, clipped=0.0, verdict=verdict)
    timings = Timings(audio=0.0, queue=0.0, encode=0.0, decode=0.0)
    transcript = Transcript("Tea.", "en", 0.28, 1.0, (), quality, timings)

    async def titles() -> list[str]:
        catalogue = Catalogues(Settings(index=f"tantivy:{tmp_path}/index", sample_catalogue=False)).named(None)
        assert await catalogue.open()
        await catalogue.writing(catalogue.index.upsert, [Document("1", "Tea")])
        meant = await find_meant(catalogue, transcript, None, SearchOptions(), unsure_results=unsure_results)
        return [result.title for result in meant.found.results]

    assert asyncio.run(titles()) == found
