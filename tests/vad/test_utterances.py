import tracemalloc
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vad.sounds import hiss, mixed, silence
from vad.endpointer import EndpointerOptions, Event, SpeechPaused, SpeechResumed, SpeechStarted, UtteranceEnded
from vad.utterances import SAMPLE_RATE, Samples, Utterance, UtteranceCutter, UtteranceStream, pcm16

LETTERS = {SpeechStarted: "S", SpeechPaused: "P", SpeechResumed: "R", UtteranceEnded: "E"}


@pytest.fixture(scope="module")
def conversation(sample_files: list[Path]) -> Samples:
    """Three spoken queries, with pauses."""
    pause = np.zeros(round(1.5 * SAMPLE_RATE), np.int16)
    queries = [soundfile.read(file, dtype="int16")[0] for file in sample_files[:3]]
    return np.concatenate([pause, *(part for query in queries for part in (query, pause))])


@given(lengths=st.lists(st.integers(0, 40_000), max_size=12))
@settings(max_examples=15, deadline=None)
def test_utterances_are_the_same_however_the_samples_arrive(conversation: Samples, lengths: list[int]) -> None:
    samples = conversation
    cutter = UtteranceCutter()
    pieces = np.split(samples, np.minimum(np.cumsum(lengths, dtype=int), len(samples)))
    found = [utterance for piece in pieces for utterance in cutter.push(piece)] + list(cutter.flush())
    whole = UtteranceCutter()
    expected = [*whole.push(samples), *whole.flush()]
    assert [(u.start, u.end) for u in found] == [(u.start, u.end) for u in expected]
    for utterance, same in zip(found, expected, strict=True):
        np.testing.assert_array_equal(utterance.samples, same.samples)


def test_an_hour_of_silence_needs_little_memory() -> None:
    cutter = UtteranceCutter()
    second = np.zeros(SAMPLE_RATE, np.int16)
    tracemalloc.start()
    try:
        for _ in range(120):
            assert list(cutter.push(second)) == []
        assert tracemalloc.get_traced_memory()[0] < 200_000
    finally:
        tracemalloc.stop()


def streamed(samples: Samples, stream: UtteranceStream, message_bytes: int = 3201) -> list[tuple[Event, Utterance]]:
    """The events in samples that come in messages which end within a sample."""
    data = samples.astype("<i2").tobytes()
    messages = (data[at : at + message_bytes] for at in range(0, len(data), message_bytes))
    return [heard for message in messages for heard in stream.push(message)]


def test_a_stream_tells_what_happens_as_it_happens(conversation: Samples) -> None:
    heard = streamed(conversation, UtteranceStream())
    turns = [event for event, _ in heard if not isinstance(event, SpeechResumed)]
    assert [type(event) for event in turns if not isinstance(event, SpeechPaused)] == 3 * [
        SpeechStarted,
        UtteranceEnded,
    ]
    assert all(
        isinstance(before, SpeechPaused) for before, after in pairwise(turns) if isinstance(after, UtteranceEnded)
    )


def test_every_event_comes_with_the_utterance_as_far_as_it_was_heard(conversation: Samples) -> None:
    for event, utterance in streamed(conversation, UtteranceStream()):
        first, last = round(utterance.start * SAMPLE_RATE), round(utterance.end * SAMPLE_RATE)
        np.testing.assert_array_equal(utterance.samples, conversation[first:last])
        assert first == event.start * 320
        if isinstance(event, SpeechPaused):
            assert last == (event.end + 4) * 320


def test_the_same_is_heard_however_the_bytes_arrive(conversation: Samples) -> None:
    expected = streamed(conversation, UtteranceStream(), 10_000_000)
    for length in (1, 641, 7000):
        found = streamed(conversation[: 4 * SAMPLE_RATE] if length == 1 else conversation, UtteranceStream(), length)
        assert [event for event, _ in found] == [event for event, _ in expected][: len(found)]
        assert found


def test_a_recogniser_that_finds_the_query_complete_ends_it_sooner(conversation: Samples) -> None:
    waited, hurried = UtteranceStream(), UtteranceStream()
    frames = np.split(conversation, range(320, len(conversation), 320))
    ends: dict[UtteranceStream, list[int]] = {waited: [], hurried: []}
    for at, frame in enumerate(frames):
        for stream in ends:
            heard = [event for event, _ in stream.push(frame.tobytes())]
            if stream is hurried and not heard and at * 0.02 > 3.5:
                heard += [event for event, _ in stream.expect(0.3)]
            ends[stream] += [at for event in heard if isinstance(event, UtteranceEnded)]
    assert ends[waited][0] - ends[hurried][0] == round((0.64 - 0.3) / 0.02)


def test_a_loud_word_after_a_pause_is_not_cut_off_before_its_vowel_is_noticed(sample_files: list[Path]) -> None:
    """Of "hotels in Reykjavik, Iceland" the recogniser took the end for one at the pause: the last word was lost."""
    reykjavik = next(file for file in sample_files if "reykjavik" in file.name)
    samples, _ = soundfile.read(reykjavik, dtype="int16")
    stream = UtteranceStream()
    heard: list[tuple[Event, Utterance]] = []
    for frame in np.split(np.concatenate([samples, np.zeros(SAMPLE_RATE, np.int16)]), range(320, len(samples), 320)):
        heard += stream.push(frame.tobytes())
        heard += stream.expect(0.35)
    ((_, utterance),) = [(event, utterance) for event, utterance in heard if isinstance(event, UtteranceEnded)]
    assert utterance.start < 0.5  # "Show"
    assert utterance.end > 2.4  # "Iceland"


def test_the_open_utterance_is_at_hand(conversation: Samples) -> None:
    stream = UtteranceStream()
    (event, _), *_ = streamed(conversation[: 3 * SAMPLE_RATE], stream)
    heard = stream.heard
    assert (heard.start, heard.end) == (pytest.approx(event.start * 0.02), 3.0)
    np.testing.assert_array_equal(heard.samples, conversation[event.start * 320 : 3 * SAMPLE_RATE])


def test_flush_gives_what_is_open_even_if_it_was_too_short_to_be_announced(conversation: Samples) -> None:
    stream = UtteranceStream()
    whole = streamed(conversation, UtteranceStream())
    first = whole[0][0].start * 320
    assert streamed(conversation[: first + 4800], stream) == []
    ended, utterance = stream.flush()
    assert ended is None
    assert (round(utterance.start * SAMPLE_RATE), round(utterance.end * SAMPLE_RATE)) == (first, first + 4800)
    np.testing.assert_array_equal(utterance.samples, conversation[first : first + 4800])


def test_flush_ends_an_announced_utterance_and_what_follows_does_not_reach_back(conversation: Samples) -> None:
    stream = UtteranceStream()
    streamed(conversation[: 3 * SAMPLE_RATE], stream)
    ended, utterance = stream.flush()
    assert ended is not None
    assert ended.ended_by == "flush"
    assert utterance.end <= 3.0
    again, nothing = stream.flush()
    assert again is None
    assert (nothing.start, len(nothing.samples)) == (3.0, 0)
    assert streamed(conversation[3 * SAMPLE_RATE :], stream)[0][1].start >= 3.0


ALL = EndpointerOptions(ends_by_silence=False)


def test_who_ends_utterances_by_flush_gets_all_that_came_with_the_pauses_in_it(conversation: Samples) -> None:
    stream = UtteranceStream(ALL)
    heard = streamed(conversation, stream)
    assert "".join(LETTERS[type(event)] for event, _ in heard).removesuffix("P").count("PR") >= 2
    assert isinstance(heard[0][0], SpeechStarted)
    assert isinstance(heard[-1][0], SpeechPaused)
    assert all(utterance.start == 0 for _, utterance in heard)
    assert stream.expect(0.1) == []
    ended, utterance = stream.flush()
    assert ended is not None
    np.testing.assert_array_equal(utterance.samples, conversation[: len(conversation) // 320 * 320])
    again, nothing = stream.flush()
    assert (again, len(nothing.samples)) == (None, 0)


def test_of_what_is_not_speech_nothing_is_lost_to_who_ends_utterances_by_flush() -> None:
    stream = UtteranceStream(replace(ALL, longest=2.0))
    samples = np.arange(5 * SAMPLE_RATE).astype(np.int16) % 7
    heard = streamed(samples, stream)
    assert [type(event) for event, _ in heard] == 2 * [UtteranceEnded]
    parts = [utterance.samples for utterance in (*(utterance for _, utterance in heard), stream.flush()[1])]
    assert [len(part) / SAMPLE_RATE for part in parts] == [2.0, 2.0, 1.0]
    np.testing.assert_array_equal(np.concatenate(parts), samples)


def test_the_longest_utterance_is_cut_also_for_who_ends_them_by_flush(conversation: Samples) -> None:
    stream = UtteranceStream(replace(ALL, longest=2.0))
    ended = [utterance for event, utterance in streamed(conversation, stream) if isinstance(event, UtteranceEnded)]
    parts = [utterance.samples for utterance in (*ended, stream.flush()[1])]
    assert all(SAMPLE_RATE <= len(part) <= 2 * SAMPLE_RATE for part in parts[:-1])
    np.testing.assert_array_equal(np.concatenate(parts), conversation[: len(conversation) // 320 * 320])


def test_a_sender_without_end_needs_little_memory() -> None:
    stream = UtteranceStream(replace(ALL, longest=5.0))
    second = np.zeros(SAMPLE_RATE, np.int16).tobytes()
    tracemalloc.start()
    try:
        for _ in range(120):
            stream.push(second)
        assert tracemalloc.get_traced_memory()[0] < 600_000
    finally:
        tracemalloc.stop()


def test_samples_of_any_size_fit_into_16_bits() -> None:
    samples = np.array([0, 0.5, -1, 1, 7, -np.inf, np.nan], np.float32)
    np.testing.assert_array_equal(pcm16(samples), [0, 16384, -32768, 32767, 32767, -32768, 0])


@pytest.mark.parametrize("noise_dbfs", [-90, -66, -50])
def test_every_short_word_is_an_utterance(noise_dbfs: int) -> None:
    words = sorted((Path(__file__).parents[1] / "recordings" / "words").glob("*.flac"))
    pause = silence(1.2)
    parts = [soundfile.read(word, dtype="int16")[0] for word in words]
    scene = np.concatenate([pause, *(part for word in parts for part in (word, pause))])
    cutter = UtteranceCutter()
    found = [*cutter.push(mixed(scene, hiss(len(scene) / SAMPLE_RATE, noise_dbfs))), *cutter.flush()]
    assert len(found) == len(words)
