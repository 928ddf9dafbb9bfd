"""The steps of a voice search, taken one by one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from asr.engine.engine import Engine
from asr.transcriber import Transcriber
from asr.transcript import Quality, Timings, Transcript, Verdict
from asr.whisper.checkpoints import Checkpoint
from pipeline.voice_search import Prepare, Search, VoiceQuery, Wait, run, search_recognised, take, voice_search_steps
from search.catalogue.document import Document
from search.index import SearchIndex
from search.opening import open_index
from search.result import SearchOptions


@pytest.fixture(scope="module")
def transcriber(tiny_en: Checkpoint) -> Iterator[Transcriber]:
    with Engine(tiny_en) as engine:
        yield Transcriber(engine)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[SearchIndex]:
    with open_index(f"tantivy:{tmp_path}/index") as index:
        index.upsert([Document("1", "Tea"), Document("2", "Toronto"), Document("3", "Gaborone")])
        yield index


def transcript(verdict: Verdict) -> Transcript:
    quality = Quality(duration=1.0, speech_seconds=0.5, level_dbfs=-20.0, clipped=0.0, verdict=verdict)
    return Transcript("Tea.", "en", 0.28, 1.0, (), quality, Timings())


@pytest.mark.parametrize(
    ("verdict", "unsure_results", "found"),
    [(Verdict.OK, False, ["Tea"]), (Verdict.UNSURE, True, ["Tea"]), (Verdict.UNSURE, False, [])],
)
def test_what_is_unsure_is_searched_for_only_where_that_is_asked_for(
    index: SearchIndex, verdict: Verdict, unsure_results: bool, found: list[str]
) -> None:
    steps = search_recognised(transcript(verdict), None, SearchOptions(), unsure_results=unsure_results)
    assert [result.title for result in run(steps, index).results.page.results] == found


@pytest.fixture(scope="module")
def toronto(sample_files: list[Path]) -> bytes:
    return next(path for path in sample_files if "toronto" in path.name).read_bytes()


def test_a_clip_is_prepared_recognised_scored_and_searched_for(transcriber: Transcriber, index: SearchIndex) -> None:
    """The name is misheard: what sounds like it is put before the acoustic model."""
    gaborone = (Path(__file__).parents[1] / "recordings" / "restaurants-in-gaborone.flac").read_bytes()
    query = VoiceQuery(transcriber.options(), SearchOptions())
    steps = voice_search_steps(transcriber, lambda: transcriber.prepare(gaborone), query)
    taken: list[type] = []
    came = None
    while True:
        try:
            step = steps.send(came)
        except StopIteration as end:
            outcome = end.value
            break
        taken.append(type(step))
        came = take(step, index)
    assert taken == [Prepare, Wait, Search, Wait, Search]
    assert "gaborone" not in outcome.transcript.text.lower()
    assert outcome.searched.results.page.results[0].title == "Gaborone"
    assert set(outcome.stages(outcome.search_began)) == {"audio", "queue", "encode", "decode", "search"}


def test_of_what_the_speaker_goes_on_with_the_text_alone_is_searched_for(
    transcriber: Transcriber, index: SearchIndex, toronto: bytes
) -> None:
    query = VoiceQuery(transcriber.options(), SearchOptions(), is_interim=True)
    assert query.decoding_for_search is query.decoding
    outcome = run(voice_search_steps(transcriber, lambda: transcriber.prepare(toronto), query), index)
    assert outcome.searched
    assert outcome.searched.proposal.candidates == ()
    assert [result.title for result in outcome.searched.results.page.results] == ["Toronto"]


def test_a_clip_that_is_only_recognised_needs_no_index(transcriber: Transcriber, toronto: bytes) -> None:
    steps = voice_search_steps(transcriber, lambda: transcriber.prepare(toronto), VoiceQuery(transcriber.options()))
    assert run(steps).searched is None


def test_to_search_an_index_is_needed(transcriber: Transcriber, toronto: bytes) -> None:
    query = VoiceQuery(transcriber.options(), SearchOptions())
    with pytest.raises(ValueError, match="no index"):
        run(voice_search_steps(transcriber, lambda: transcriber.prepare(toronto), query))


def test_errors_of_a_step_pass_through(transcriber: Transcriber, index: SearchIndex) -> None:
    query = VoiceQuery(transcriber.options(), SearchOptions())
    with pytest.raises(ZeroDivisionError):
        run(voice_search_steps(transcriber, lambda: 1 // 0, query), index)  # type: ignore[arg-type, return-value]
