"""The parameters and the messages of /v1/listen, without a connection."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from server.errors import ApiError
from server.keywords import parse_keywords
from server.live.options import parse_options
from server.live.protocol import CloseStream, Finalize, KeepAlive, UnknownMessage, parse_command


def test_nothing_needs_to_be_asked_for() -> None:
    options = parse_options({})
    assert (options.sample_rate, options.channels, options.encoding) == (16_000, 1, "linear16")
    assert options.hangover_ms == 500
    assert options.hangover_bounds_ms == (350, 900)


def test_the_spelling_of_deepgrams_clients() -> None:
    query = "model=nova-3&language=en-US&interim_results=true&endpointing=25&utterance_end_ms=1000&vad_events=true"
    options = parse_options(dict(pair.split("=") for pair in f"{query}&punctuate=true&smart_format=True".split("&")))
    assert options.language == "en"
    assert options.interim_results
    assert options.vad_events
    assert options.utterance_end_ms == 1000
    assert options.hangover_ms == 100
    assert options.served_by("base")
    assert options.ignored == ("punctuate", "smart_format")


def test_keywords_are_repeated_or_stand_between_commas() -> None:
    assert parse_options(QueryParams("keywords=Oslo:2&keywords=New York,Bergen")).keywords == (
        "Oslo:2",
        "New York,Bergen",
    )
    assert parse_keywords(("Oslo:2", "New  York,Bergen", "")) == {"Oslo": 2, "New York": 1, "Bergen": 1}
    assert parse_options({"model": "base"}).keywords == ()


def test_an_exact_hangover_stays_exact_unless_bounds_are_given() -> None:
    assert parse_options({"endpointing": "400"}).hangover_bounds_ms == (400, 400)
    assert parse_options({"endpointing": "400", "endpointing_max": "800"}).hangover_bounds_ms == (400, 800)
    assert parse_options({"endpointing": "true", "endpointing_min": "200"}).hangover_bounds_ms == (200, 900)
    assert parse_options({"endpointing": "False"}).endpointing is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sample_rate", "7999"),
        ("sample_rate", "fast"),
        ("channels", "3"),
        ("encoding", "opus"),
        ("endpointing", "-1"),
        ("endpointing", "soon"),
        ("endpointing_min", "700"),
        ("interim_results", "maybe"),
        ("search", "reykjavik"),
        ("keywords", "Oslo:loud"),
        ("limit", "0"),
        ("redact", "pci"),
        ("multichannel", "true"),
    ],
)
def test_what_is_not_understood_is_named(name: str, value: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse_options({name: value})
    assert caught.value.status_code == 400
    assert name.split("_m")[0] in str(caught.value.detail)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"endpointing": "50", "endpointing_min": "200"}, "endpointing: must lie between endpointing_min"),
        ({"endpointing": "false", "endpointing_min": "200"}, "endpointing: is false: the client ends utterances"),
        ({"endpointing": "false", "endpointing_max": "200"}, "endpointing: is false: the client ends utterances"),
    ],
)
def test_what_does_not_fit_together_is_refused_in_so_many_words(query: dict[str, str], message: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse_options(query)
    assert caught.value.status_code == 400
    assert str(caught.value.detail).startswith(message)


@pytest.mark.parametrize(
    ("name", "meant"), [("fillter", "filter"), ("interim_result", "interim_results"), ("lang-uage", "language")]
)
def test_a_parameter_that_is_misspelt_is_refused(name: str, meant: str) -> None:
    with pytest.raises(ApiError, match=f"{name} is not a parameter here; did you mean {meant}") as caught:
        parse_options({name: "x"})
    assert caught.value.status_code == 400


def test_what_deepgrams_clients_send_beside_is_taken() -> None:
    names = """diarize diarize_model dictation extra keyterm mip_opt_out numerals profanity_filter punctuate replace tag
        version detect_entities smart_format no_delay tier filler_words vad_turnoff detect_language paragraphs
        measurements utterances utt_split sentiment topics intents summarize eot_threshold eager_eot_threshold
        eot_timeout_ms callback_method access_token"""
    assert parse_options(dict.fromkeys(names.split(), "true")).ignored == tuple(sorted(names.split()))


def test_only_other_models_are_not_served() -> None:
    assert parse_options({"model": "tiny.en"}).served_by("tiny.en")
    assert not parse_options({"model": "tiny.en"}).served_by("base")


def test_commands() -> None:
    assert isinstance(parse_command('{"type": "Finalize", "channel": 0}'), Finalize)
    assert isinstance(parse_command('{"type": "KeepAlive"}'), KeepAlive)
    assert isinstance(parse_command('{"type": "CloseStream"}'), CloseStream)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("type"), inner),
)


@given(st.text() | json_values.map(json.dumps))
def test_any_other_text_is_an_unknown_message(text: str) -> None:
    with pytest.raises(UnknownMessage, match="Finalize"):
        parse_command(text)


def test_deep_nesting_is_an_unknown_message() -> None:
    with pytest.raises(UnknownMessage):
        parse_command("[" * 100_000)
