from typing import Any

import pytest

from clients.answers import SearchAnswer, VoiceSearchAnswer, read_answer
from clients.errors import MalformedAnswer
from tests.clients.server import RESULT, voice_answer


def test_what_a_newer_server_adds_is_passed_over() -> None:
    newer = voice_answer(mood="curious")
    newer["transcript"]["words"] = [{"word": "Hotels"}]
    newer["quality"]["noise_dbfs"] = -50
    newer["results"][0] = RESULT | {"highlight": "…"}
    assert read_answer(VoiceSearchAnswer, newer) == read_answer(VoiceSearchAnswer, voice_answer())


def test_what_an_older_server_does_not_tell_is_empty() -> None:
    answer = read_answer(VoiceSearchAnswer, voice_answer())
    assert (answer.total, answer.facets, answer.results[0].highlights) == (None, {}, {})


def test_totals_facets_and_highlights() -> None:
    result = RESULT | {"match": "sound", "highlights": {"title": "<mark>Reykjavík</mark>"}}
    answer = read_answer(VoiceSearchAnswer, voice_answer(total=7, facets={"country": {"Iceland": 7}}, results=[result]))
    assert (answer.total, answer.facets) == (7, {"country": {"Iceland": 7}})
    assert answer.results[0].highlights == {"title": "<mark>Reykjavík</mark>"}
    assert answer.results[0].match == "sound"


def test_whole_numbers_are_numbers() -> None:
    answer = read_answer(VoiceSearchAnswer, voice_answer())
    assert isinstance(answer.quality.clipped, float)
    assert isinstance(answer.timings["audio_ms"], float)


def test_answers_are_values() -> None:
    answer = read_answer(SearchAnswer, {"query": "x", "results": [RESULT], "timings": {}})
    with pytest.raises(AttributeError):
        answer.query = "y"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"query": None}, r"answer\.query is None"),
        ({"query": 5}, r"answer\.query is 5"),
        ({"results": {}}, r"answer\.results is \{\}"),
        ({"results": [RESULT, RESULT | {"score": "12"}]}, r"answer\.results\[1\]\.score is '12'"),
        ({"results": [RESULT | {"score": True}]}, r"answer\.results\[0\]\.score is True"),
        ({"results": [{"id": "1", "score": 1}]}, r"answer\.results\[0\] has no 'title'"),
        ({"transcript": "Hotels"}, r"answer\.transcript is 'Hotels'"),
        ({"transcript": {}}, r"answer\.transcript has no 'text'"),
        ({"total": "7"}, r"answer\.total is '7'"),
        ({"facets": {"country": {"Iceland": "7"}}}, r"answer\.facets\.country\.Iceland is '7'"),
        ({"timings": {"audio_ms": "3"}}, r"answer\.timings\.audio_ms is '3'"),
        ({"query": "x" * 1, "id": ["long"] * 1000}, r"answer\.id is \['long'.{1,80}: not what"),
    ],
)
def test_a_malformed_answer_says_where(changes: dict[str, Any], place: str) -> None:
    with pytest.raises(MalformedAnswer, match=place):
        read_answer(VoiceSearchAnswer, voice_answer(**changes))
