"""Where utterances begin and end: decisions about frames in, utterances out.

A pure state machine: it counts frames, and knows neither time nor audio.
"""

import math
from collections import deque
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from vad.pauses import middle_of_longest_pause


@dataclass(frozen=True)
class EndpointerOptions:
    """What makes an utterance. All in seconds, except the onset's votes, which are frames.

    Raises `ValueError`, saying how to mend it, when the values do not fit together.
    """

    pre_roll: float = 0.2
    """Kept before the first frame of speech: quiet first consonants, which detectors miss."""
    hangover: float = 0.64
    """Silence that ends an utterance. People pause within a query, before a name they search for."""
    patience: float = 0.24
    """Silence beyond the hangover does not end an utterance while something is heard that may be its next word."""
    pause: float = 0.08
    """Silence after which speech is said to have paused, so that a recogniser may start before the hangover is over."""
    post_roll: float = 0.3
    """Kept after the last frame of speech, as far as the hangover has heard it."""
    shortest: float = 0.12
    """Utterances with less speech than this are dropped: a click, a cup put down. The voice of a short word, "six" or
    "cat", is hardly longer."""
    longest: float = 30.0
    """Longer ones are cut at the longest pause in their second half, or here if there is none, and go on as a new
    utterance. 30 s is what the model hears at once."""
    onset_votes: int = 4
    """Frames of speech, among the last `onset_window`, that open an utterance."""
    onset_window: int = 6
    ends_by_silence: bool = True
    """If not, whoever sends has cut out the utterances and ends them by `flush`: all that comes belongs to them."""

    def __post_init__(self) -> None:
        for name in (
            "pre_roll",
            "hangover",
            "patience",
            "pause",
            "post_roll",
            "shortest",
            "longest",
        ):
            seconds = getattr(self, name)
            if not (math.isfinite(seconds) and seconds >= 0):
                raise ValueError(f"{name} is {seconds}: give seconds, 0 or more")
        if self.hangover == 0:
            raise ValueError("hangover is 0: give the seconds of silence that end an utterance, such as 0.64")
        if not 1 <= self.onset_votes <= self.onset_window:
            raise ValueError(f"onset_votes is {self.onset_votes} of {self.onset_window}: choose from 1 to onset_window")
        if self.longest < self.pre_roll + self.shortest or self.longest == 0:
            raise ValueError(
                f"longest is {self.longest} s: make it at least pre_roll + shortest, "
                f"{self.pre_roll + self.shortest} s, and more than 0"
            )


@dataclass(frozen=True)
class SpeechStarted:
    """Somebody speaks: an utterance has begun at frame `start`; an `UtteranceEnded` with the same start will follow."""

    start: int


@dataclass(frozen=True)
class SpeechPaused:
    """The utterance from frame `start` has fallen silent with frame `end`: it has ended, or this is a pause in it."""

    start: int
    end: int


@dataclass(frozen=True)
class SpeechResumed:
    """It was a pause: the utterance from frame `start` goes on, or is cut at an earlier one."""

    start: int


@dataclass(frozen=True)
class UtteranceEnded:
    """An utterance reaches over the frames `start <= i < end`."""

    start: int
    end: int
    ended_by: Literal["silence", "longest", "flush", "cut"]


Event = SpeechStarted | SpeechPaused | SpeechResumed | UtteranceEnded


@dataclass
class _Utterance:
    """The utterance being heard. It is announced once it holds enough speech to be one."""

    start: int
    last_speech: int
    voiced: int
    needed: int
    hangover: int
    announced: bool = False
    paused: bool = False


class Endpointer:
    """Turns the decisions about one stream's frames into utterances, which never overlap and come in order.

    Every utterance announced by `SpeechStarted` is ended by one `UtteranceEnded`; between them, every `SpeechPaused` is
    followed by `SpeechResumed` or that end. Any run of speech as long as both `shortest` and `onset_votes` frames lies
    within utterances, whole. Unless they end by silence, every frame does, and one that is cut because it is the
    longest may not have been announced: nobody spoke in it.
    Raises `ValueError` when `frame_seconds` is not positive, or `longest` is shorter than the onset's window.
    """

    def __init__(self, options: EndpointerOptions, frame_seconds: float) -> None:
        if not frame_seconds > 0:
            raise ValueError(f"frame_seconds is {frame_seconds}: give the length of a frame, such as 0.02")
        self._frame_seconds = frame_seconds
        self._pre_roll = _frames(options.pre_roll, frame_seconds)
        self._hangover = max(1, _frames(options.hangover, frame_seconds))
        self._patience = _frames(options.patience, frame_seconds)
        self._pause = max(1, _frames(options.pause, frame_seconds))
        self._post_roll = _frames(options.post_roll, frame_seconds)
        self._shortest = max(options.onset_votes, _frames(options.shortest, frame_seconds))
        self._longest = _frames(options.longest, frame_seconds)
        self._onset_votes = options.onset_votes
        self._ends_by_silence = options.ends_by_silence
        if self._longest < max(self._shortest, options.onset_window):
            raise ValueError(f"longest is {options.longest} s: an utterance needs room for the onset's window")
        self._sound: deque[bool] = deque(maxlen=self._longest)  # what may be speech, of the last frames
        self._window: deque[bool] = deque(maxlen=options.onset_window)
        self._heard = 0
        self._is_tentative = False  # the last frame
        self._previous_end = 0
        self._utterance: _Utterance | None = None

    @property
    def open_from(self) -> int:
        """The first frame that an event still to come may reach back to; audio before it can be let go."""
        if self._utterance is not None:
            return self._reachable(self._utterance.start)
        return self._start(self._heard - len(self._window))

    def push(self, is_speech: bool, *, is_tentative: bool = False) -> list[Event]:
        """Takes the decision about the next frame; gives what that settles, usually nothing.

        `is_tentative` is what may turn out to be speech: it does not count as such, but is not the silence that ends an
        utterance either.
        """
        frame = self._heard
        self._is_tentative = is_tentative
        self._sound.append(is_speech or is_tentative)
        self._heard += 1
        if self._utterance is None:
            self._vote(is_speech)
        elif is_speech:
            self._utterance.last_speech = frame
            self._utterance.voiced += 1
            self._utterance.hangover = self._hangover
        return [
            *self._announce(),
            *self._resume(is_speech),
            *self._end_by_silence(),
            *self._end_by_length(),
            *self._pause_speech(),
        ]

    def expect(self, hangover: float) -> list[Event]:
        """How many seconds of silence are to end the utterance in the pause that is on: until speech goes on.

        Gives the utterance's end where that much silence has been heard already. Without a pause nothing happens: the
        word came too late.
        """
        if self._utterance is None or not self._utterance.paused:
            return []
        self._utterance.hangover = max(1, _frames(hangover, self._frame_seconds))
        return self._end_by_silence()

    def cut(self, end: int, start: int) -> list[Event]:
        """Ends the utterance at frame `end` though sound goes on: it is known otherwise that its speaker has stopped.

        What is heard from frame `start` on, not before `end`, may be the next utterance, if there is enough of it.
        """
        utterance = self._utterance
        if utterance is None or not utterance.announced or not utterance.start < end <= start <= self._heard:
            return []
        self._previous_end = start
        voiced = sum(list(self._sound)[len(self._sound) - (self._heard - start) :])
        following = _Utterance(start, utterance.last_speech, voiced, self._shortest, self._hangover)
        self._utterance = following if utterance.last_speech >= start else None
        self._window.clear()
        return [UtteranceEnded(utterance.start, end, "cut"), *self._announce()]

    def flush(self) -> list[Event]:
        """Ends the utterance that is open. More may be pushed; no later utterance reaches back past this."""
        events = self._close("flush")
        self._previous_end = self._heard
        return events

    def _vote(self, is_speech: bool) -> None:
        self._window.append(is_speech)
        if sum(self._window) < self._onset_votes:
            return
        first = self._heard - len(self._window) + self._window.index(True)
        self._utterance = _Utterance(
            start=self._start(first),
            last_speech=self._heard - 1,
            voiced=sum(self._window),
            needed=self._shortest,
            hangover=self._hangover,
        )

    def _announce(self) -> list[Event]:
        utterance = self._utterance
        if utterance is None or utterance.announced or utterance.voiced < utterance.needed:
            return []
        utterance.announced = True
        utterance.start = self._reachable(utterance.start)
        return [SpeechStarted(utterance.start)]

    def _resume(self, is_speech: bool) -> list[Event]:
        utterance = self._utterance
        if utterance is None or not (is_speech and utterance.paused):
            return []
        utterance.paused = False
        return [SpeechResumed(utterance.start)]

    def _pause_speech(self) -> list[Event]:
        utterance = self._utterance
        if utterance is None or not utterance.announced or utterance.paused or self._silence(utterance) < self._pause:
            return []
        utterance.paused = True
        return [SpeechPaused(utterance.start, utterance.last_speech + 1)]

    def _end_by_length(self) -> list[Event]:
        utterance = self._utterance
        is_announced = utterance is not None and utterance.announced
        start = self.open_from
        if self._heard - start < self._longest or (self._ends_by_silence and not is_announced):
            return []
        cut = self._previous_end = start + _best_cut(np.array(self._sound))
        ended = UtteranceEnded(start, cut, "longest")
        if utterance is None:
            return [ended]
        goes_on = utterance.last_speech >= cut
        # What follows belongs to speech already accepted: one frame of it is enough to go on.
        self._utterance = _Utterance(cut, utterance.last_speech, goes_on, needed=1, hangover=utterance.hangover)
        resumed = [SpeechResumed(start)] if utterance.paused and goes_on else []
        return [*resumed, ended, *self._announce()]

    def _end_by_silence(self) -> list[Event]:
        utterance = self._utterance
        if utterance is None or not self._ends_by_silence:
            return []
        patience = self._patience if self._is_tentative else 0
        return self._close("silence") if self._silence(utterance) >= utterance.hangover + patience else []

    def _close(self, ended_by: Literal["silence", "flush"]) -> list[Event]:
        utterance, self._utterance = self._utterance, None
        self._window.clear()
        if utterance is None or not utterance.announced:
            return []
        end = utterance.last_speech + 1 + self._post_roll
        self._previous_end = min(self._heard, end) if self._ends_by_silence else self._heard
        return [UtteranceEnded(utterance.start, self._previous_end, ended_by)]

    def _start(self, first: int) -> int:
        """Where an utterance begins whose first frame of speech is `first`."""
        return max(self._previous_end, first - self._pre_roll) if self._ends_by_silence else self._previous_end

    def _silence(self, utterance: _Utterance) -> int:
        return self._heard - 1 - utterance.last_speech

    def _reachable(self, start: int) -> int:
        """`start`, moved up where an utterance from there would be longer than the longest."""
        return max(start, self._heard - self._longest)


def _frames(seconds: float, frame_seconds: float) -> int:
    return round(seconds / frame_seconds)


def _best_cut(sound: npt.NDArray[np.bool_]) -> int:
    """How much of an utterance (frames,) that is the longest to keep: to the longest pause in its second half.

    It is one that follows sound: nothing is cut off that holds none.
    """
    before = int(np.argmax(sound)) + 1 if sound.any() else len(sound)
    earliest = max(len(sound) // 2, before)
    return earliest + middle_of_longest_pause(sound[earliest:])
