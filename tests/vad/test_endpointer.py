from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vad.endpointer import Endpointer, EndpointerOptions, Event, SpeechStarted, UtteranceEnded

FRAME_SECONDS = 0.02
SHORT = EndpointerOptions(pre_roll=0.1, hangover=0.2, post_roll=0.1, shortest=0.1, longest=1.0)

frame_runs = st.lists(st.tuples(st.booleans(), st.integers(1, 40)), max_size=25).map(
    lambda runs: [is_speech for is_speech, length in runs for _ in range(length)]
)
options = st.builds(
    EndpointerOptions,
    pre_roll=st.sampled_from([0.0, 0.1, 0.3]),
    hangover=st.sampled_from([0.02, 0.1, 0.4]),
    post_roll=st.sampled_from([0.0, 0.1, 0.5]),
    shortest=st.sampled_from([0.0, 0.06, 0.2]),
    longest=st.sampled_from([0.5, 0.62, 3.0]),
    onset_votes=st.integers(1, 4),
    onset_window=st.integers(4, 6),
)


def events(frames: list[bool], chosen: EndpointerOptions = SHORT) -> list[Event]:
    endpointer = Endpointer(chosen, FRAME_SECONDS)
    return [event for frame in frames for event in endpointer.push(frame)] + endpointer.flush()


def utterances(frames: list[bool], chosen: EndpointerOptions = SHORT) -> list[UtteranceEnded]:
    return [event for event in events(frames, chosen) if isinstance(event, UtteranceEnded)]


def speech(count: int) -> list[bool]:
    return [True] * count


def silence(count: int) -> list[bool]:
    return [False] * count


def test_an_utterance_keeps_its_pre_roll_and_its_post_roll() -> None:
    frames = silence(20) + speech(15) + silence(20)
    assert utterances(frames) == [UtteranceEnded(20 - 5, 35 + 5, "silence")]


def test_speech_started_is_announced_before_the_utterance_ends() -> None:
    endpointer = Endpointer(SHORT, FRAME_SECONDS)
    heard = [event for frame in silence(20) + speech(8) for event in endpointer.push(frame)]
    assert heard == [SpeechStarted(15)]


def test_a_pause_within_a_query_does_not_end_it() -> None:
    pause = silence(30)
    frames = speech(40) + pause + speech(40)
    assert len(utterances(frames, EndpointerOptions())) == 1
    assert len(utterances(frames, replace(SHORT, hangover=0.3))) == 2


def test_a_click_is_no_utterance() -> None:
    assert events(silence(20) + speech(4) + silence(40)) == []


def test_frames_of_speech_far_apart_open_nothing() -> None:
    assert events([True, False, False, False, True, False] * 20) == []


def test_the_longest_utterance_is_cut_and_goes_on_without_losing_a_frame() -> None:
    cut, rest = utterances(silence(10) + speech(80) + silence(20))
    assert cut == UtteranceEnded(5, 55, "longest")
    assert rest == UtteranceEnded(55, 95, "silence")


def test_a_cut_with_only_silence_after_it_leaves_no_empty_utterance() -> None:
    assert utterances(speech(50) + silence(60)) == [UtteranceEnded(0, 50, "longest")]


def test_flush_ends_the_open_utterance_and_the_stream_may_go_on() -> None:
    endpointer = Endpointer(SHORT, FRAME_SECONDS)
    for frame in speech(12):
        endpointer.push(frame)
    assert endpointer.flush() == [UtteranceEnded(0, 12, "flush")]
    assert endpointer.flush() == []
    assert [event for frame in speech(5) for event in endpointer.push(frame)] == [SpeechStarted(12)]


@given(frames=frame_runs, chosen=options)
def test_utterances_are_ordered_and_apart_and_within_bounds(frames: list[bool], chosen: EndpointerOptions) -> None:
    previous_end = 0
    for utterance in utterances(frames, chosen):
        assert previous_end <= utterance.start < utterance.end <= len(frames)
        assert utterance.end - utterance.start <= round(chosen.longest / FRAME_SECONDS)
        assert any(frames[utterance.start : utterance.end])
        previous_end = utterance.end


@given(frames=frame_runs, chosen=options)
def test_every_start_is_followed_by_its_end(frames: list[bool], chosen: EndpointerOptions) -> None:
    heard = events(frames, chosen)
    starts, ends = heard[::2], heard[1::2]
    assert all(isinstance(event, SpeechStarted) for event in starts)
    assert all(isinstance(event, UtteranceEnded) for event in ends)
    assert [event.start for event in starts] == [event.start for event in ends]


@given(frames=frame_runs, chosen=options)
def test_every_run_of_speech_that_is_long_enough_lies_in_utterances(
    frames: list[bool], chosen: EndpointerOptions
) -> None:
    covered = {frame for utterance in utterances(frames, chosen) for frame in range(utterance.start, utterance.end)}
    enough = max(chosen.onset_votes, round(chosen.shortest / FRAME_SECONDS))
    for start, end in runs_of_speech(frames):
        if end - start >= enough:
            assert covered.issuperset(range(start, end))


def runs_of_speech(frames: list[bool]) -> list[tuple[int, int]]:
    edges = [i for i in range(len(frames) + 1) if at(frames, i) != at(frames, i - 1)]
    return list(zip(edges[::2], edges[1::2], strict=True))


def at(frames: list[bool], index: int) -> bool:
    return 0 <= index < len(frames) and frames[index]


@given(frames=frame_runs, chosen=options)
def test_no_event_reaches_back_to_audio_that_could_be_let_go(frames: list[bool], chosen: EndpointerOptions) -> None:
    endpointer = Endpointer(chosen, FRAME_SECONDS)
    open_from = 0
    for frame in [*frames, None]:
        for event in endpointer.flush() if frame is None else endpointer.push(frame):
            assert event.start >= open_from
        assert endpointer.open_from >= open_from
        open_from = endpointer.open_from


@pytest.mark.parametrize(
    ("wrong", "mend"),
    [
        ({"pre_roll": -0.1}, "pre_roll is -0.1: give seconds, 0 or more"),
        ({"hangover": float("nan")}, "hangover is nan: give seconds"),
        ({"hangover": 0.0}, "give the seconds of silence that end an utterance"),
        ({"onset_votes": 6}, "choose from 1 to onset_window"),
        ({"onset_votes": 0}, "choose from 1 to onset_window"),
        ({"longest": 0.1}, "at least pre_roll"),
    ],
)
def test_options_that_do_not_fit_together_say_how_to_mend_them(wrong: dict[str, float], mend: str) -> None:
    with pytest.raises(ValueError, match=mend):
        replace(EndpointerOptions(), **wrong)


def test_a_frame_needs_a_length() -> None:
    with pytest.raises(ValueError, match="frame_seconds is 0"):
        Endpointer(SHORT, 0)
