"""Live listening against the real server: what is said comes back as words and results, however it is sent."""

import io
import json
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.decoding.stable_prefix import begins_with
from server.live.protocol import Metadata, Results
from tests.asr.noises import music
from tests.e2e.conftest import Server
from tests.e2e.listening import (
    RATE,
    assert_begun_in_the_silence,
    listening,
    recording,
    silence,
    slowness,
    spoken,
    text,
    titles,
)

ENOUGH_INTERIMS = 5  # for some words to be stable: those in which two interims agree


@pytest.fixture
def toronto(sample_files: list[Path]) -> Path:
    return next(path for path in sample_files if "toronto" in path.name)


@pytest.fixture
def reykjavik(sample_files: list[Path]) -> Path:
    return next(path for path in sample_files if "reykjavik" in path.name)


@pytest.fixture
def copenhagen(sample_files: list[Path]) -> Path:
    return next(path for path in sample_files if "copenhagen" in path.name)


def test_a_recording_at_full_speed_gets_all_its_finals(server: Server, toronto: Path, copenhagen: Path) -> None:
    with listening(server, limit=3) as listener:
        listener.send((spoken(toronto) + spoken(copenhagen)) * 2)
        assert listener.close_stream() == 1000
    assert [titles(final)[0] for final in listener.finals] == ["Toronto", "Copenhagen"] * 2
    assert all(final["speech_final"] and not final["from_finalize"] for final in listener.finals)
    assert all(len(final["search"]["results"]) <= 3 for final in listener.finals)
    starts = [final["start"] for final in listener.finals]
    assert starts == sorted(starts)
    assert listener.messages[-1]["type"] == "Metadata"
    assert listener.messages[-1]["duration"] == pytest.approx(2 * (listener.finals[2]["start"] - starts[0]), abs=0.1)
    assert listener.interims == []


def test_messages_are_as_the_reference_says(server: Server, toronto: Path) -> None:
    with listening(server, interim_results="true", search="interim", alternatives=2) as listener:
        listener.speak(spoken(toronto))
        assert listener.close_stream() == 1000
    Metadata.model_validate(listener.messages[0])
    for message in (*listener.interims, *listener.finals):
        results = Results.model_validate(message)
        words = results.channel.alternatives[0].words
        assert " ".join(word.punctuated_word for word in words) == results.channel.alternatives[0].transcript
        end = results.start + results.duration + 0.002  # all is rounded
        assert all(results.start <= word.start <= word.end <= end for word in words)
        assert results.search is not None
    assert len(listener.finals) == 1
    assert listener.finals[0]["timings"]["encode_ms"] > 0
    confidences = [word["confidence"] for word in listener.finals[0]["channel"]["alternatives"][0]["words"]]
    assert len(set(confidences)) > 1, "each word has its own"


def test_one_short_word_is_a_query(server: Server) -> None:
    """A word has hardly more than a tenth of a second of voice."""
    words = sorted((Path(__file__).parents[1] / "recordings" / "words").glob("*.flac"))
    pause = silence(1.5)
    sound = np.concatenate([pause, *(part for word in words for part in (recording(word), pause))])
    with listening(server, search="false") as listener:
        listener.send(sound.tobytes())
        assert listener.close_stream() == 1000
    heard = [text(final).strip(" .!?").lower() for final in listener.finals]
    assert len(heard) == len(words)
    assert all(heard)
    assert sum(said == word.stem for said, word in zip(heard, words, strict=True)) >= 7


@pytest.mark.parametrize("interim_results", ["true", "false"])
def test_what_is_said_over_a_tune_ends_while_the_tune_runs_on(
    server: Server, toronto: Path, interim_results: str
) -> None:
    """Its level and its pitch say that somebody speaks; the words have come to their end. The tune alone has none."""
    tune = music(20, seed=1, drums=True) * 10 ** (-12 / 20)
    sound = (tune * 32767).astype(np.int16)
    said = recording(toronto)
    sound[2 * RATE : 2 * RATE + len(said)] += said
    ends = 2 + len(said) / RATE
    with listening(server, interim_results=interim_results, vad_events="true") as listener:
        with ThreadPoolExecutor(1) as pool:
            speaking = pool.submit(listener.speak, sound.tobytes())
            while not text(listener.next("Results", is_final=True)):
                pass
            assert not speaking.done()
            speaking.result()
        assert listener.close_stream() == 1000
    worded = [final for final in listener.finals if text(final)]
    assert [titles(final)[0] for final in worded] == ["Toronto"]
    assert worded[0]["start"] + worded[0]["duration"] == pytest.approx(ends, abs=1.0)
    assert worded[0]["speech_final"]


@pytest.mark.parametrize(
    ("sample_rate", "channels", "size"),
    [(8_000, 1, 401), (16_000, 2, 4_099), (44_100, 1, 333_333), (48_000, 2, 9_999)],
)
def test_any_rate_channels_and_message_size(
    server: Server, toronto: Path, sample_rate: int, channels: int, size: int
) -> None:
    pcm = np.frombuffer(spoken(toronto, sample_rate), "<i2")
    with listening(server, sample_rate=sample_rate, channels=channels) as listener:
        listener.send(np.repeat(pcm, channels).tobytes(), size)
        assert listener.close_stream() == 1000
    assert [titles(final)[0] for final in listener.finals] == ["Toronto"]
    assert listener.finals[0]["start"] == pytest.approx(1.0, abs=0.4)


def test_words_appear_while_somebody_speaks_and_what_is_stable_stays(server: Server, toronto: Path) -> None:
    """The interims follow from the speaker's pace, which follows from how long the same words took just before.

    A machine that has become slower since gives too few of them to compare, and is spoken to more slowly.
    """
    with listening(server) as measured:
        measured.send(spoken(toronto))
        assert measured.close_stream() == 1000
    slower = slowness(measured.finals[0])
    for slowdown in (slower, 2 * slower, 4 * slower):
        with listening(server, interim_results="true", vad_events="true", utterance_end_ms=1000) as listener:
            listener.speak(spoken(toronto) + silence(0.5).tobytes(), slower=slowdown)
            assert listener.close_stream() == 1000
        if len(listener.interims) >= ENOUGH_INTERIMS:
            break
    kinds = [message["type"] for message in listener.messages]
    assert kinds[1] == "SpeechStarted"
    assert kinds[-2:] == ["UtteranceEnd", "Metadata"]
    assert listener.messages[-2]["last_word_end"] == pytest.approx(listener.finals[0]["start"] + 2.3, abs=0.7)
    assert len(listener.interims) >= ENOUGH_INTERIMS
    before = ""
    for interim in listener.interims:
        assert text(interim).startswith(interim["stable"])
        assert interim["stable"].startswith(before)
        before = interim["stable"]
        assert "search" not in interim
    assert before
    assert begins_with(text(listener.finals[0]), before)
    last = listener.messages.index(listener.interims[-1])
    assert last < listener.messages.index(listener.finals[0])


def test_inverted_channels_are_heard(server: Server, toronto: Path) -> None:
    """Their mean is silence."""
    pcm = np.frombuffer(spoken(toronto), "<i2")
    with listening(server, channels=2) as listener:
        listener.send(np.stack((pcm, -pcm), axis=1).tobytes())
        assert listener.close_stream() == 1000
    assert [titles(final)[0] for final in listener.finals] == ["Toronto"]


@pytest.mark.parametrize("size", [2, 3200])
def test_a_recording_that_is_no_pcm_is_told(server: Server, toronto: Path, size: int) -> None:
    """It was taken for PCM, in which nobody speaks."""
    with listening(server) as listener:
        listener.send(toronto.read_bytes()[: max(4, size)], size)
        assert listener.rest() == 1008
    (told,) = [message for message in listener.messages if message["type"] == "Error"]
    assert told["error"]["code"] == "DATA-0000"
    assert "This is FLAC" in told["error"]["message"]
    assert "16 bit little-endian PCM" in told["error"]["message"]
    assert listener.finals == []


def test_a_wav_of_the_rate_asked_for_is_heard(server: Server, toronto: Path) -> None:
    wav = io.BytesIO()
    soundfile.write(wav, np.frombuffer(spoken(toronto), "<i2"), RATE, format="WAV")
    with listening(server) as listener:
        listener.send(wav.getvalue())
        assert listener.close_stream() == 1000
    assert [titles(final)[0] for final in listener.finals] == ["Toronto"]


def test_every_finalize_gets_exactly_one_final(server: Server, toronto: Path) -> None:
    with listening(server, endpointing="false", interim_results="true") as listener:
        listener.tell("Finalize")
        assert text(listener.next("Results", is_final=True)) == ""
        listener.send(recording(toronto).tobytes())
        listener.tell("Finalize")
        final = listener.next("Results", is_final=True)
        assert titles(final)[0] == "Toronto"
        listener.send(silence(2).tobytes())
        for _ in range(3):
            listener.tell("Finalize")
        assert listener.close_stream() == 1000
    assert [text(final) != "" for final in listener.finals] == [False, True, False, False, False]
    assert all(final["from_finalize"] and final["speech_final"] for final in listener.finals)


def test_finalize_ends_an_utterance_that_the_server_would_have_gone_on_to_hear(server: Server, toronto: Path) -> None:
    with listening(server, endpointing=5000) as listener:
        listener.send(spoken(toronto))
        listener.tell("Finalize")
        final = listener.next("Results")
        assert final["from_finalize"]
        assert titles(final)[0] == "Toronto"
        assert listener.close_stream() == 1000
    assert len(listener.finals) == 1


def test_what_is_open_at_the_close_is_delivered(server: Server, toronto: Path) -> None:
    with listening(server, endpointing="false", search="false") as listener:
        listener.send(recording(toronto).tobytes())
        assert listener.close_stream() == 1000
    assert [final["from_finalize"] for final in listener.finals] == [False]
    assert "Toronto" in text(listener.finals[0])
    assert "search" not in listener.finals[0]


def test_what_is_too_long_is_cut_and_goes_on(server: Server, toronto: Path) -> None:
    with listening(server, endpointing="false") as listener:
        listener.send(recording(toronto).tobytes() * 15)
        listener.tell("Finalize")
        assert listener.close_stream() == 1000
    ends = [(final["speech_final"], final["from_finalize"]) for final in listener.finals]
    assert ends == [*[(False, False)] * (len(ends) - 1), (True, True)]
    assert all(15 <= final["duration"] <= 30 for final in listener.finals[:-1])
    assert len(ends) >= 2


@pytest.mark.parametrize("params", [{"endpointing": "false"}])
def test_a_cut_tears_no_word(server: Server, sample_files: list[Path], params: dict[str, object]) -> None:
    """The sixteenth query is in its last word when 30 s are over: "Where's Nyra?" was heard."""
    first, *others = [np.trim_zeros(recording(path)) for path in sorted(sample_files)] * 3
    with listening(server, interim_results="true", **params) as listener:
        listener.send(np.concatenate([first, silence(0.5), *others]).tobytes())
        listener.tell("Finalize")
        assert listener.close_stream() == 1000
    finals = listener.finals
    assert [final["speech_final"] for final in finals] == [False] * (len(finals) - 1) + [True]
    assert all(a["start"] + a["duration"] == pytest.approx(b["start"], abs=0.002) for a, b in pairwise(finals))
    said = " ".join(text(final) for final in finals)
    cities = ("Toronto", "Buenos Aires", "Reykjavik", "Barcelona", "Singapore", "Chicago", "Copenhagen", "Nairobi")
    assert {city: said.count(city) for city in cities} == dict.fromkeys(cities, 3)


@pytest.mark.parametrize("rest", [1.0, 4.0])
def test_who_stops_where_an_utterance_is_cut_is_told_to_have_ended(server: Server, toronto: Path, rest: float) -> None:
    """The last final said that more would follow, and nothing did."""
    said = np.tile(recording(toronto), 15)[: round(29.3 * 16_000)]
    with listening(server, endpointing=2000, utterance_end_ms=1000) as listener:
        listener.send(np.concatenate((silence(1), said, silence(rest))).tobytes())
        assert listener.close_stream() == 1000
    assert [(final["speech_final"], text(final) != "") for final in listener.finals] == [(False, True), (True, False)]
    cut = listener.finals[0]["start"] + listener.finals[0]["duration"]
    assert (listener.finals[1]["start"], listener.finals[1]["duration"]) == (pytest.approx(cut, abs=0.002), 0)
    kinds = [message["type"] for message in listener.messages[1:-1]]
    assert kinds == ["Results", "Results"] + ["UtteranceEnd"] * (rest > 2)


def test_finalize_in_silence_ends_no_utterance(server: Server) -> None:
    """It was followed by UtteranceEnd, although nothing had been said."""
    with listening(server, utterance_end_ms=500) as listener:
        listener.send(silence(1).tobytes())
        listener.tell("Finalize")
        listener.send(silence(2).tobytes())
        assert listener.close_stream() == 1000
    assert [message["type"] for message in listener.messages] == ["Metadata", "Results", "Metadata"]


def test_a_final_is_ready_when_the_silence_is_over_and_is_thrown_away_when_speech_goes_on(
    server: Server, toronto: Path, copenhagen: Path
) -> None:
    """That it was ready follows from how long its own recognition took, and from the hangover."""
    used, vain = (f'sayseek_speculative_finals_total{{outcome="{outcome}"}}' for outcome in ("used", "vain"))
    before = server.metric(used), server.metric(vain)
    trimmed = [np.trim_zeros(recording(path)).tobytes() for path in (toronto, copenhagen)]
    with listening(server, endpointing=1500) as listener:
        listener.speak(silence(1).tobytes() + trimmed[0] + silence(0.8).tobytes() + trimmed[1] + silence(2).tobytes())
        assert listener.close_stream() == 1000
    assert len(listener.finals) == 1
    assert "Toronto" in text(listener.finals[0])
    assert "Copenhagen" in text(listener.finals[0])
    assert_begun_in_the_silence(listener.finals[0], 1.5)
    assert server.metric(used) == before[0] + 1
    assert server.metric(vain) > before[1]


def test_who_says_when_the_utterance_is_over_finds_its_final_ready_too(
    server: Server, toronto: Path, copenhagen: Path
) -> None:
    """What is said after a pause counts, and what breaks off at Finalize, too.

    That the final was ready follows from how long its own recognition took, and from the edge's hangover.
    """
    used, vain = (f'sayseek_speculative_finals_total{{outcome="{outcome}"}}' for outcome in ("used", "vain"))
    before = server.metric(used), server.metric(vain)
    trimmed = [np.trim_zeros(recording(path)).tobytes() for path in (toronto, copenhagen)]
    with listening(server, endpointing="false", vad_events="true", utterance_end_ms=2000) as listener:
        listener.send(trimmed[0])
        listener.tell("Finalize")
        plain = listener.next("Results")
        assert server.metric(used) == before[0]
        listener.speak(trimmed[0] + silence(0.64).tobytes())
        listener.tell("Finalize")
        ready = listener.next("Results")
        assert server.metric(used) == before[0] + 1
        listener.speak(trimmed[0] + silence(0.64).tobytes() + trimmed[1] + silence(0.64).tobytes())
        listener.tell("Finalize")
        both = listener.next("Results")
        assert server.metric(vain) > before[1]
        listener.send(silence(2).tobytes())
        assert listener.close_stream() == 1000
    assert text(ready) == text(plain)
    assert titles(ready)[0] == "Toronto"
    assert_begun_in_the_silence(ready, 0.64)
    assert ready["duration"] == pytest.approx(len(trimmed[0]) / 32_000 + 0.64, abs=0.05)
    assert "Toronto" in text(both)
    assert "Copenhagen" in text(both)
    kinds = [message["type"] for message in listener.messages if message["type"] != "Metadata"]
    assert kinds == ["SpeechStarted", "Results"] * 3 + ["UtteranceEnd", "Results"]
    assert [final["from_finalize"] for final in listener.finals] == [True, True, True, False]
    assert text(listener.finals[-1]) == ""


def test_a_query_that_reads_complete_is_answered_before_the_hangover_has_passed(server: Server, toronto: Path) -> None:
    """No more audio comes than 1.5 s of silence, where two seconds end what may go on."""
    whole = np.trim_zeros(recording(toronto))
    with listening(server, endpointing=2000, endpointing_min=300) as listener:
        listener.speak(silence(1).tobytes() + whole.tobytes() + silence(1.5).tobytes())
        final = listener.next("Results")
        assert titles(final)[0] == "Toronto"
        assert final["speech_final"]
        assert listener.close_stream() == 1000
    with listening(server, endpointing=2000) as listener:
        listener.speak(silence(1).tobytes() + whole.tobytes() + silence(1.5).tobytes())
        listener.tell("Reticulate")
        assert listener.next()["type"] == "Error"  # and no final before it
        assert listener.close_stream() == 1000
    assert len(listener.finals) == 1


def test_a_word_after_a_pause_is_heard_though_the_query_read_complete_before_it(
    server: Server, reykjavik: Path
) -> None:
    """ "Hotels in Reykjavik" reads complete; its speaker says "Iceland", too."""
    with listening(server) as listener:
        listener.speak(spoken(reykjavik))
        assert listener.close_stream() == 1000
    assert ["Iceland" in text(final) for final in listener.finals] == [True]


def test_noise_is_no_utterance_and_silence_has_no_words(server: Server) -> None:
    noise = np.random.default_rng(1).normal(0, 300, 16_000 * 5).astype("<i2")
    with listening(server) as listener:
        listener.send(silence(5).tobytes() + noise.tobytes())
        assert listener.close_stream() == 1000
    assert all(text(final) == "" for final in listener.finals)


def test_what_is_no_command_is_an_error_and_the_connection_goes_on(server: Server, toronto: Path) -> None:
    with listening(server) as listener:
        for nonsense in ("hello", "[]", '{"type": "Reticulate"}', '{"type": ["Finalize"]}'):
            listener.socket.send(nonsense)
            error = listener.next()
            assert error["type"] == "Error"
            assert "CloseStream" in error["error"]["message"]
            assert error["description"] == error["error"]["message"]
        listener.socket.send(b"")
        listener.tell("KeepAlive")
        listener.send(spoken(toronto))
        assert listener.close_stream() == 1000
    assert [titles(final)[0] for final in listener.finals] == ["Toronto"]


def test_metadata_says_which_parameters_have_no_effect(server: Server) -> None:
    with listening(server, model="nova-3", punctuate="true", smart_format="true", language="en-US") as listener:
        assert listener.messages[0]["ignored"] == ["punctuate", "smart_format"]
        assert listener.messages[0]["models"] == ["base"]
        assert listener.close_stream() == 1000
    assert json.dumps(listener.messages[-1]).count("req_") == 1
