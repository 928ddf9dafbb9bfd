import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vad.endpointer import (
    Endpointer,
    EndpointerOptions,
    Event,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    UtteranceEnded,
)

FRAME_SECONDS = 0.02
SHORT = EndpointerOptions(
    pre_roll=0.1,
    hangover=0.2,
    post_roll=0.1,
    shortest=0.1,
    longest=1.0,
    onset_votes=3,
    onset_window=5,
)

frame_runs = st.lists(st.tuples(st.booleans(), st.integers(1, 40)), max_size=25).map(
    lambda runs: [is_speech for is_speech, length in runs for _ in range(length)]
)
options = st.builds(
    EndpointerOptions,
    pre_roll=st.sampled_from([0.0, 0.1, 0.3]),
    hangover=st.sampled_from([0.02, 0.1, 0.4]),
    pause=st.sampled_from([0.0, 0.06, 0.2]),
    post_roll=st.sampled_from([0.0, 0.1, 0.5]),
    shortest=st.sampled_from([0.0, 0.06, 0.2]),
    longest=st.sampled_from([0.5, 0.62, 3.0]),
    onset_votes=st.integers(1, 4),
    onset_window=st.integers(4, 6),
)
words = st.dictionaries(st.integers(0, 400), st.sampled_from([0.0, 0.12, 0.8]), max_size=40)
cuts = st.dictionaries(st.integers(0, 400), st.tuples(st.integers(0, 30), st.integers(-1, 30)), max_size=10)
LETTERS = {SpeechStarted: "S", SpeechPaused: "P", SpeechResumed: "R", UtteranceEnded: "E"}


def events(frames: list[bool], chosen: EndpointerOptions = SHORT) -> list[Event]:
    endpointer = Endpointer(chosen, FRAME_SECONDS)
    return pushed(endpointer, frames) + endpointer.flush()


def pushed(endpointer: Endpointer, frames: list[bool]) -> list[Event]:
    return [event for frame in frames for event in endpointer.push(frame)]


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
    assert pushed(endpointer, silence(20) + speech(8)) == [SpeechStarted(15)]


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


def test_the_longest_utterance_is_cut_at_the_longest_pause_in_its_second_half() -> None:
    """It was cut in the middle of a word."""
    first, second = speech(20) + silence(7) + speech(3), silence(3) + speech(4) + silence(6) + speech(30)
    endpointer = Endpointer(SHORT, FRAME_SECONDS)
    assert pushed(endpointer, (first + second)[:50]) == [
        SpeechStarted(0),
        SpeechPaused(0, 20),
        SpeechResumed(0),
        SpeechPaused(0, 37),
        SpeechResumed(0),
        UtteranceEnded(0, 40, "longest"),
        SpeechStarted(40),
    ]
    assert pushed(endpointer, (first + second)[50:] + silence(10))[-1] == UtteranceEnded(40, 78, "silence")


def test_a_longest_utterance_that_pauses_is_cut_at_an_earlier_pause_if_that_is_longer() -> None:
    frames = speech(30) + silence(7) + speech(8) + silence(5)
    assert pushed(Endpointer(SHORT, FRAME_SECONDS), frames)[-5:] == [
        SpeechPaused(0, 45),
        SpeechResumed(0),
        UtteranceEnded(0, 33, "longest"),
        SpeechStarted(33),
        SpeechPaused(33, 45),
    ]


def test_a_longest_utterance_may_be_cut_in_the_pause_that_is_on() -> None:
    endpointer = Endpointer(SHORT, FRAME_SECONDS)
    assert pushed(endpointer, speech(44) + silence(6))[-2:] == [SpeechPaused(0, 44), UtteranceEnded(0, 47, "longest")]
    assert pushed(endpointer, speech(1)) == [SpeechStarted(47)]


def test_what_may_be_a_word_is_no_pause_to_cut_at() -> None:
    endpointer = Endpointer(SHORT, FRAME_SECONDS)
    pushed(endpointer, speech(30) + silence(2))
    for _ in range(6):
        endpointer.push(False, is_tentative=True)
    assert pushed(endpointer, speech(12))[-2] == UtteranceEnded(0, 31, "longest")


def test_a_cut_with_only_silence_after_it_leaves_no_empty_utterance() -> None:
    assert utterances(speech(50) + silence(60)) == [UtteranceEnded(0, 50, "longest")]


def test_flush_ends_the_open_utterance_and_the_stream_may_go_on() -> None:
    endpointer = Endpointer(SHORT, FRAME_SECONDS)
    for frame in speech(12):
        endpointer.push(frame)
    assert endpointer.flush() == [UtteranceEnded(0, 12, "flush")]
    assert endpointer.flush() == []
    assert pushed(endpointer, speech(5)) == [SpeechStarted(12)]


def test_where_silence_ends_nothing_all_frames_belong_to_the_utterance() -> None:
    endpointer = Endpointer(replace(SHORT, ends_by_silence=False, longest=2.0), FRAME_SECONDS)
    assert pushed(endpointer, silence(20) + speech(10) + silence(4)) == [SpeechStarted(0), SpeechPaused(0, 30)]
    assert endpointer.expect(0.3) == []
    assert pushed(endpointer, silence(30) + speech(1)) == [SpeechResumed(0)]
    assert pushed(endpointer, silence(4)) == [SpeechPaused(0, 65)]
    assert endpointer.flush() == [UtteranceEnded(0, 69, "flush")]
    assert pushed(endpointer, silence(250)) == [UtteranceEnded(69, 169, "longest"), UtteranceEnded(169, 269, "longest")]
    assert endpointer.open_from == 269


def test_the_longest_utterance_is_cut_at_a_pause_also_where_silence_ends_nothing() -> None:
    endpointer = Endpointer(replace(SHORT, ends_by_silence=False), FRAME_SECONDS)
    assert pushed(endpointer, silence(5) + speech(23) + silence(12) + speech(10))[-3:] == [
        SpeechResumed(0),
        UtteranceEnded(0, 34, "longest"),
        SpeechStarted(34),
    ]
    assert endpointer.flush() == [UtteranceEnded(34, 50, "flush")]


def test_a_pause_is_told_of_before_the_hangover_is_over_and_so_is_its_end() -> None:
    endpointer = Endpointer(SHORT, FRAME_SECONDS)
    assert pushed(endpointer, speech(10) + silence(3)) == [SpeechStarted(0)]
    assert pushed(endpointer, silence(1)) == [SpeechPaused(0, 10)]
    assert pushed(endpointer, silence(3) + speech(1)) == [SpeechResumed(0)]
    assert pushed(endpointer, silence(10)) == [SpeechPaused(0, 18), UtteranceEnded(0, 23, "silence")]


def test_a_query_that_is_complete_ends_sooner() -> None:
    endpointer = paused(after=speech(10), silent=4)
    assert endpointer.expect(0.12) == []
    assert pushed(endpointer, silence(2)) == [UtteranceEnded(0, 15, "silence")]


def test_a_query_found_complete_late_ends_at_once() -> None:
    endpointer = paused(after=speech(10), silent=8)
    assert endpointer.expect(0.12) == [UtteranceEnded(0, 15, "silence")]
    assert pushed(endpointer, silence(40)) == []


def test_a_query_that_breaks_off_is_waited_for() -> None:
    endpointer = paused(after=speech(10), silent=4)
    endpointer.expect(0.4)
    assert pushed(endpointer, silence(15)) == []
    assert pushed(endpointer, silence(1)) == [UtteranceEnded(0, 15, "silence")]


@pytest.mark.parametrize("hangover", [0.12, 0.4])
def test_what_was_expected_holds_only_until_speech_goes_on(hangover: float) -> None:
    endpointer = paused(after=speech(10), silent=4)
    endpointer.expect(hangover)
    assert pushed(endpointer, speech(1)) == [SpeechResumed(0)]
    assert pushed(endpointer, silence(9)) == [SpeechPaused(0, 15)]
    assert pushed(endpointer, silence(1)) == [UtteranceEnded(0, 20, "silence")]


def test_a_word_that_comes_when_speech_has_gone_on_changes_nothing() -> None:
    endpointer = paused(after=speech(10), silent=4)
    pushed(endpointer, speech(1))
    assert endpointer.expect(0.12) == []
    assert UtteranceEnded not in map(type, pushed(endpointer, silence(9)))


def test_what_may_be_the_next_word_is_waited_for() -> None:
    """A loud word once came too late to be found voiced, and was lost."""
    endpointer = paused(after=speech(10), silent=7)
    assert [event for _ in range(9) for event in endpointer.push(False, is_tentative=True)] == []
    assert pushed(endpointer, speech(1)) == [SpeechResumed(0)]


def test_what_turns_out_to_be_no_word_is_waited_for_no_longer() -> None:
    endpointer = paused(after=speech(10), silent=8)
    assert [event for _ in range(3) for event in endpointer.push(False, is_tentative=True)] == []
    assert pushed(endpointer, silence(1)) == [UtteranceEnded(0, 15, "silence")]


def test_clatter_without_end_is_waited_for_a_moment_only() -> None:
    patient = replace(SHORT, patience=0.1)
    endpointer = paused(after=speech(10), silent=4, chosen=patient)
    assert [event for _ in range(10) for event in endpointer.push(False, is_tentative=True)] == []
    assert endpointer.expect(0.2) == []
    assert endpointer.push(False, is_tentative=True) == [UtteranceEnded(0, 15, "silence")]


def paused(after: list[bool], silent: int, chosen: EndpointerOptions = SHORT) -> Endpointer:
    endpointer = Endpointer(chosen, FRAME_SECONDS)
    pushed(endpointer, after + silence(silent))
    return endpointer


def test_an_utterance_is_cut_where_its_speaker_stopped_and_what_runs_on_may_be_the_next() -> None:
    endpointer = Endpointer(replace(SHORT, longest=10.0), FRAME_SECONDS)
    pushed(endpointer, speech(100))
    assert endpointer.cut(50, 80) == [UtteranceEnded(0, 50, "cut"), SpeechStarted(80)]
    assert endpointer.open_from == 80
    *_, ended = pushed(endpointer, speech(20) + silence(100))
    assert isinstance(ended, UtteranceEnded)
    assert (ended.start, ended.ended_by) == (80, "silence")


def test_a_word_too_short_to_be_one_is_none_after_a_cut_either() -> None:
    endpointer = Endpointer(replace(SHORT, longest=10.0), FRAME_SECONDS)
    pushed(endpointer, speech(100))
    assert endpointer.cut(50, 98) == [UtteranceEnded(0, 50, "cut")]
    assert pushed(endpointer, silence(50)) == []


def test_nothing_is_cut_where_nobody_speaks_or_beyond_what_was_heard() -> None:
    endpointer = Endpointer(replace(SHORT, longest=10.0), FRAME_SECONDS)
    assert endpointer.cut(0, 0) == []
    pushed(endpointer, speech(50))
    assert endpointer.cut(0, 0) == endpointer.cut(25, 75) == endpointer.cut(9, 8) == []
    assert endpointer.flush() == [UtteranceEnded(0, 50, "flush")]


@given(frames=frame_runs, chosen=options)
def test_utterances_are_ordered_and_apart_and_within_bounds(frames: list[bool], chosen: EndpointerOptions) -> None:
    previous_end = 0
    for utterance in utterances(frames, chosen):
        assert previous_end <= utterance.start < utterance.end <= len(frames)
        assert utterance.end - utterance.start <= round(chosen.longest / FRAME_SECONDS)
        assert any(frames[utterance.start : utterance.end])
        previous_end = utterance.end


@given(frames=frame_runs, chosen=options, words=words, cuts=cuts)
def test_every_utterance_starts_and_pauses_and_resumes_and_ends_in_order(
    frames: list[bool], chosen: EndpointerOptions, words: dict[int, float], cuts: dict[int, tuple[int, int]]
) -> None:
    endpointer = Endpointer(chosen, FRAME_SECONDS)
    heard: list[Event] = []
    for at, frame in enumerate(frames):
        heard += endpointer.push(frame)
        heard += endpointer.expect(words[at]) if at in words else []
        heard += endpointer.cut(*(at - before for before in cuts[at])) if at in cuts else []
    heard += endpointer.flush()
    ended = [event for event in heard if isinstance(event, UtteranceEnded)]
    assert all(before.end <= after.start for before, after in pairwise(ended))
    assert re.fullmatch("(S(PR)*P?E)*", "".join(LETTERS[type(event)] for event in heard))
    for event, following in pairwise(heard):
        assert isinstance(event, UtteranceEnded) or event.start == following.start


@given(frames=frame_runs, chosen=options.map(lambda chosen: replace(chosen, ends_by_silence=False)))
def test_where_silence_ends_nothing_utterances_follow_each_other_without_a_gap(
    frames: list[bool], chosen: EndpointerOptions
) -> None:
    endpointer = Endpointer(chosen, FRAME_SECONDS)
    heard = pushed(endpointer, frames)
    end = 0
    for utterance in (event for event in heard if isinstance(event, UtteranceEnded)):
        assert utterance.start == end < utterance.end
        end = utterance.end
    assert endpointer.open_from == end
    assert len(frames) - end < round(chosen.longest / FRAME_SECONDS)
    letters = "".join(LETTERS[type(event)] for event in heard + endpointer.flush())
    assert re.fullmatch("(E|S(PR)*P?E)*", letters)


@given(frames=frame_runs, chosen=options)
def test_a_pause_begins_where_speech_ended(frames: list[bool], chosen: EndpointerOptions) -> None:
    for event in events(frames, chosen):
        if isinstance(event, SpeechPaused):
            assert frames[event.end - 1]
            assert not any(frames[event.end : event.end + max(1, round(chosen.pause / FRAME_SECONDS))])


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
        ({"onset_votes": 7}, "choose from 1 to onset_window"),
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
