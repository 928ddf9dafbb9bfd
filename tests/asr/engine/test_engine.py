"""The engine: clips join and leave between steps, in order, cancellable, and closed in order.

Most models here are scripted, and take their steps when they are told to.
"""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from asr.audio.decode import Samples
from asr.audio.features import HOP_LENGTH
from asr.decoding.hypothesis import DecodingOptions, Reading
from asr.decoding.stepper import CacheEntry, Choice, Row
from asr.engine.engine import Engine
from asr.engine.jobs import DecodedClip
from asr.engine.scheduler import STEPS_BETWEEN_ENCODINGS
from asr.errors import EngineBusy, EngineClosed, RecognitionFailed
from asr.runtime.choose import CPU_SEQUENCES, Backend
from asr.whisper.checkpoints import Checkpoint
from asr.whisper.encoding import EncodedWindow
from tests.asr.as_served import as_served
from tests.asr.fixed_shapes import as_on_a_gpu
from tests.asr.scripted import EOT, Probabilities, ScriptedSteps, scripted_checkpoint

WAIT = 10.0  # seconds after which a test has failed
SILENT_FRAMES = 2  # of log-mel beyond a clip's last sample


def window(name: int) -> Samples:
    """A clip's name is how long it is."""
    return np.zeros(name * HOP_LENGTH, np.float32)


class ScriptedEncoder:
    """What it encodes is a window's name. `encoded` holds those that it was given, and which of them whole.

    `batches` are the names of those that it was given together. Names are alike, but for those in `unlike`.
    """

    precision = "scripted"

    def __init__(self) -> None:
        self.encoded: list[tuple[int, bool]] = []
        self.batches: list[list[int]] = []
        self.broken: set[int] = set()
        self.unlike: set[int] = set()

    @property
    def names(self) -> list[int]:
        return [name for name, _ in self.encoded]

    def frames(self, mel_frames: int) -> int:
        return 2 if mel_frames - SILENT_FRAMES in self.unlike else 1

    def encode(self, mels: Sequence[Tensor]) -> list[EncodedWindow]:
        return self._encode(mels, whole=False)

    def encode_whole(self, mels: Sequence[Tensor]) -> list[EncodedWindow]:
        return self._encode(mels, whole=True)

    def _encode(self, mels: Sequence[Tensor], *, whole: bool) -> list[EncodedWindow]:
        names = [mel.shape[1] - SILENT_FRAMES for mel in mels]
        self.batches.append(names)
        self.encoded += [(name, whole) for name in names]
        if self.broken & set(names):
            raise RuntimeError("the encoder broke")
        return [EncodedWindow(torch.tensor([[name, whole]])) for name in names]


LETTERS = "abcdef"


class GatedSteps(ScriptedSteps):
    """Reads of clip n `lengths[n]` letters from its own on. Each step waits to be let through, until `open`."""

    def __init__(self) -> None:
        super().__init__({})
        self.lengths: dict[int, int] = {}
        self.endless: set[int] = set()  # unless they are heard whole
        self.endless_whole: set[int] = set()
        self.broken: set[int] = set()
        self.room: dict[int, int] = {}  # how many sequences of a clip there is memory for
        self.steps: list[list[int]] = []
        self._is_open = False
        self._entered = threading.Semaphore(0)
        self._may_go_on = threading.Semaphore(0)

    def open(self) -> None:
        self._is_open = True
        self._may_go_on.release()

    def this_step(self) -> list[int]:
        """The clips in the step that waits to be let through."""
        assert self._entered.acquire(timeout=WAIT)
        return self.steps[-1]

    def next_step(self) -> list[int]:
        """Let one step through; the clips in that which follows."""
        self._may_go_on.release()
        return self.this_step()

    def next_steps(self, count: int) -> list[list[int]]:
        return [self.next_step() for _ in range(count)]

    @property
    def holding(self) -> list[int]:
        """The clips that hold a place."""
        return [past.audio[0] for past in self.held]

    def hear(self, window: EncodedWindow) -> Any:
        name, whole = window.encoded[0].tolist()
        return name, bool(whole)

    def begin(self, audio: Any) -> CacheEntry:
        if self.holding.count(audio[0]) == self.room.get(audio[0]):
            raise MemoryError("no room for another")
        return super().begin(audio)

    def step(self, rows: Sequence[Row]) -> list[Choice]:
        names = list(dict.fromkeys(row.past.audio[0] for row in rows))
        self.steps.append(names)
        self._entered.release()
        if not self._is_open:
            assert self._may_go_on.acquire(timeout=WAIT)
        if self.broken & set(names):
            raise RuntimeError("the step broke")
        return super().step(rows)

    def following(self, said: tuple[int, ...], audio: Any) -> Probabilities:
        name, whole = audio
        endless = name in (self.endless_whole if whole else self.endless)
        goes_on = endless or len(said) < self.lengths.get(name, 1)
        return {(name + len(said)) % len(LETTERS): 1.0} if goes_on else {EOT: 1.0}


@pytest.fixture
def encoder() -> ScriptedEncoder:
    return ScriptedEncoder()


@pytest.fixture
def steps() -> GatedSteps:
    return GatedSteps()


@pytest.fixture
def compute(encoder: ScriptedEncoder, steps: GatedSteps) -> Backend:
    return Backend(encoder, steps, torch.get_num_threads(), torch.device("cpu"))


@pytest.fixture
def engine(compute: Backend, steps: GatedSteps) -> Iterator[Engine]:
    engine = Engine(scripted_checkpoint(), compute, max_queue=3)
    yield engine
    steps.open()
    engine.close(WAIT)
    assert steps.held == []


def letters(name: int, count: int) -> str:
    """What is read of a clip."""
    return "".join(LETTERS[(name + i) % len(LETTERS)] for i in range(count))


def texts(future: "Future[DecodedClip]") -> list[str]:
    return [window.best.text for window in future.result(WAIT).windows]


def submit(engine: Engine, *names: int, alternatives: int = 0, deferrable: bool = False) -> "Future[DecodedClip]":
    options = DecodingOptions(alternatives=alternatives)
    return engine.submit([window(name) for name in names], options, deferrable=deferrable)


def test_clips_are_answered_with_their_own_text(engine: Engine, encoder: ScriptedEncoder, steps: GatedSteps) -> None:
    futures = [submit(engine, name) for name in (1, 2, 3)]
    steps.open()
    assert [texts(future) for future in futures] == [["b"], ["c"], ["d"]]
    assert encoder.names == [1, 2, 3]
    assert engine.windows_heard == 3


def test_a_full_queue_refuses_more(engine: Engine, steps: GatedSteps) -> None:
    submit(engine, 0)
    assert steps.this_step() == [0]
    for name in (1, 2, 3):
        submit(engine, name)
    with pytest.raises(EngineBusy):
        submit(engine, 4)
    assert engine.queue_depth == 3


def test_a_clip_joins_while_another_is_read_and_leaves_while_it_goes_on(engine: Engine, steps: GatedSteps) -> None:
    steps.lengths[1] = 9
    long = submit(engine, 1)
    assert steps.this_step() == [1]
    short = submit(engine, 2)
    assert steps.next_steps(STEPS_BETWEEN_ENCODINGS - 1) == [[1]] * (STEPS_BETWEEN_ENCODINGS - 1)
    assert steps.next_steps(3) == [[1, 2], [1, 2], [1]]
    assert texts(short) == ["c"]
    assert not long.done()
    assert steps.holding == [1]
    steps.open()
    assert texts(long) == [letters(1, 9)]


def test_a_cancelled_clip_leaves_the_queue_at_once(engine: Engine, encoder: ScriptedEncoder, steps: GatedSteps) -> None:
    submit(engine, 0)
    assert steps.this_step() == [0]
    waiting = [submit(engine, name) for name in (1, 2, 3)]
    waiting[1].cancel()
    assert engine.queue_depth == 2
    last = submit(engine, 4)
    steps.open()
    assert texts(last) == ["e"]
    assert encoder.names == [0, 1, 3, 4]


def test_a_clip_that_is_cancelled_while_it_is_read_leaves_before_the_next_step(
    engine: Engine, steps: GatedSteps
) -> None:
    steps.lengths.update({1: 9, 2: 9})
    first = submit(engine, 1, alternatives=2)
    assert steps.this_step() == [1]
    second = submit(engine, 2)
    assert steps.next_steps(STEPS_BETWEEN_ENCODINGS)[-1] == [1, 2]
    first.cancel()
    assert steps.next_step() == [2]
    assert steps.holding == [2]
    with pytest.raises(CancelledError):
        first.result()
    steps.open()
    assert texts(second) == [letters(2, 9)]


def test_the_seats_of_a_cancelled_clip_are_taken_in_the_same_turn(engine: Engine, steps: GatedSteps) -> None:
    steps.lengths[1] = 9
    greedy = submit(engine, 1, alternatives=CPU_SEQUENCES - 1)
    assert steps.this_step() == [1]
    following = submit(engine, 2)
    assert steps.next_steps(STEPS_BETWEEN_ENCODINGS + 2) == [[1]] * (STEPS_BETWEEN_ENCODINGS + 2)
    greedy.cancel()
    assert steps.next_step() == [2]
    steps.open()
    assert texts(following) == ["c"]


def test_no_window_of_a_cancelled_recording_is_begun(
    engine: Engine, encoder: ScriptedEncoder, steps: GatedSteps
) -> None:
    """One that was cancelled in the last step of a window went back to the queue, where nobody took it out."""
    long = submit(engine, 1, 2)
    assert steps.this_step() == [1]
    assert steps.next_step() == [1]  # reads the end
    following = submit(engine, 3)
    long.cancel()
    steps.open()
    assert texts(following) == ["d"]
    assert engine.close(WAIT)
    assert encoder.names == [1, 3]


def test_a_long_recording_lets_short_clips_in_between(
    engine: Engine, encoder: ScriptedEncoder, steps: GatedSteps
) -> None:
    long = submit(engine, 1, 2, 3)
    assert steps.this_step() == [1]
    short = submit(engine, 5)
    steps.open()
    assert texts(short) == ["f"]
    assert texts(long) == ["b", "c", "d"]
    assert encoder.names == [1, 5, 2, 3]


def test_a_clip_that_cannot_be_encoded_fails_alone(engine: Engine, encoder: ScriptedEncoder, steps: GatedSteps) -> None:
    encoder.broken = {2}
    steps.lengths[1] = 9
    sound = submit(engine, 1)
    assert steps.this_step() == [1]
    broken, after = submit(engine, 2), submit(engine, 3)
    steps.open()
    with pytest.raises(RecognitionFailed, match="the encoder broke"):
        broken.result(WAIT)
    assert texts(sound) == [letters(1, 9)]
    assert texts(after) == ["d"]


@pytest.fixture
def batching(compute: Backend, steps: GatedSteps) -> Iterator[Engine]:
    """An engine that encodes up to three windows together."""
    engine = Engine(scripted_checkpoint(), replace(compute, encode_at_once=3), max_queue=8)
    yield engine
    steps.open()
    engine.close(WAIT)
    assert steps.held == []


def test_clips_of_like_length_are_encoded_together(
    batching: Engine, encoder: ScriptedEncoder, steps: GatedSteps
) -> None:
    encoder.unlike = {2, 5}
    first = submit(batching, 0)
    assert steps.this_step() == [0]
    futures = [submit(batching, name) for name in (1, 2, 3, 4, 5, 1)]
    steps.open()
    assert texts(first) == ["a"]
    assert [texts(future) for future in futures] == [["b"], ["c"], ["d"], ["e"], ["f"], ["b"]]
    assert encoder.batches == [[0], [1, 3, 4], [2, 5], [1]]


def test_windows_that_are_heard_again_are_not_encoded_with_others(
    batching: Engine, encoder: ScriptedEncoder, steps: GatedSteps
) -> None:
    steps.endless = {1, 2}
    first = submit(batching, 0)
    assert steps.this_step() == [0]
    futures = [submit(batching, name) for name in (1, 2, 3)]
    steps.open()
    assert [texts(future) for future in futures] == [["b"], ["c"], ["d"]]
    assert texts(first) == ["a"]
    assert encoder.batches[:2] == [[0], [1, 2, 3]]
    assert sorted(name for batch in encoder.batches[2:] for name in batch) == [1, 2]
    assert encoder.encoded[4:] == [(name, True) for batch in encoder.batches[2:] for name in batch]


def test_a_clip_that_cannot_be_encoded_fails_alone_in_a_batch_too(
    batching: Engine, encoder: ScriptedEncoder, steps: GatedSteps
) -> None:
    encoder.broken = {2}
    first = submit(batching, 0)
    assert steps.this_step() == [0]
    sound, broken, beside = (submit(batching, name) for name in (1, 2, 3))
    steps.open()
    with pytest.raises(RecognitionFailed, match="the encoder broke"):
        broken.result(WAIT)
    assert [texts(future) for future in (first, sound, beside)] == [["a"], ["b"], ["d"]]
    assert encoder.batches == [[0], [1, 2, 3], [1], [2], [3]]


def test_a_clip_that_is_cancelled_while_its_batch_is_encoded_leaves_before_the_next_step(
    batching: Engine, steps: GatedSteps
) -> None:
    steps.lengths.update({1: 9, 2: 9})
    submit(batching, 0)
    assert steps.this_step() == [0]
    first, second = submit(batching, 1), submit(batching, 2)
    assert steps.next_steps(2) == [[0], [1, 2]]
    first.cancel()
    assert steps.next_step() == [2]
    assert steps.holding == [2]
    steps.open()
    assert texts(second) == [letters(2, 9)]


def test_a_step_that_fails_fails_those_in_it_and_the_engine_goes_on(engine: Engine, steps: GatedSteps) -> None:
    steps.broken = {2}
    steps.lengths[1] = 9
    beside = submit(engine, 1)
    assert steps.this_step() == [1]
    broken, waiting = submit(engine, 2), submit(engine, 3)
    steps.open()
    failures = [future.exception(WAIT) for future in (broken, beside)]
    for failure in failures:
        with pytest.raises(RecognitionFailed, match="the step broke"):
            raise failure or AssertionError
    assert failures[0] is not failures[1]  # who raises one would leave its traceback in the other's
    assert texts(waiting) == ["d"]
    assert texts(submit(engine, 4)) == ["e"]


def test_texts_for_which_there_is_no_room_fail_alone(engine: Engine, steps: GatedSteps) -> None:
    """All clips that were being read failed with them."""
    steps.lengths[1] = 9
    steps.room[2] = 2
    beside = submit(engine, 1)
    assert steps.this_step() == [1]
    scored: Any = engine.score((2, False), "en", ["c", "cc", "ccc"])
    steps.open()
    with pytest.raises(RecognitionFailed, match="no room"):
        scored.result(WAIT)
    assert texts(beside) == [letters(1, 9)]
    assert engine.score((2, False), "en", ["c", "cc"]).result(WAIT)


def test_texts_that_are_cancelled_while_they_are_read_give_their_sequences_back(
    engine: Engine, steps: GatedSteps
) -> None:
    scored: Any = engine.score((2, False), "en", ["c", "cc", "ccc"] * 20)
    assert steps.this_step() == [2]
    assert len(steps.holding) > 1
    scored.cancel()
    after = submit(engine, 1)
    assert steps.next_step() == [1]
    assert steps.holding == [1]
    steps.open()
    assert texts(after) == ["b"]


def test_a_doubtful_window_is_heard_a_second_time_whole(
    engine: Engine, encoder: ScriptedEncoder, steps: GatedSteps
) -> None:
    steps.endless = {2}
    steps.open()
    long = submit(engine, 2, 3)
    assert texts(long) == ["c", "d"]
    assert long.result().windows[0].complete
    assert encoder.encoded == [(2, False), (2, True), (3, False)]
    assert (engine.windows_heard, engine.windows_doubted) == (2, 1)


def test_a_window_is_not_heard_a_third_time(engine: Engine, encoder: ScriptedEncoder, steps: GatedSteps) -> None:
    steps.endless = steps.endless_whole = {2}
    steps.open()
    assert not submit(engine, 2).result(WAIT).windows[0].complete
    assert encoder.encoded == [(2, False), (2, True)]
    assert (engine.windows_heard, engine.windows_doubted) == (1, 1)


def test_what_can_be_deferred_waits_for_the_others_and_has_a_queue_of_its_own(
    engine: Engine, encoder: ScriptedEncoder, steps: GatedSteps
) -> None:
    submit(engine, 0)
    assert steps.this_step() == [0]
    deferred = [submit(engine, name, deferrable=True) for name in (1, 2, 3)]
    with pytest.raises(EngineBusy):
        submit(engine, 5, deferrable=True)
    deferred[1].cancel()
    others = [submit(engine, name) for name in (4, 5)]
    assert engine.queue_depth == 2
    steps.open()
    assert [texts(future) for future in (*others, deferred[0], deferred[2])] == [["e"], ["f"], ["b"], ["d"]]
    assert encoder.names == [0, 4, 5, 1, 3]


def test_what_can_be_deferred_is_not_heard_again(engine: Engine, encoder: ScriptedEncoder, steps: GatedSteps) -> None:
    steps.endless = {2}
    steps.open()
    assert not submit(engine, 2, deferrable=True).result(WAIT).windows[0].complete
    assert encoder.encoded == [(2, False)]


def test_whole_windows_are_heard_once(compute: Backend, encoder: ScriptedEncoder, steps: GatedSteps) -> None:
    steps.endless_whole = {2}
    steps.open()
    with Engine(scripted_checkpoint(), compute, whole_windows=True) as engine:
        assert texts(submit(engine, 2, 3)) == [letters(2, 10), "d"]
        assert encoder.encoded == [(2, True), (3, True)]
        assert engine.windows_doubted == 0


def test_a_doubted_window_does_not_wait_in_the_queue_again(
    engine: Engine, encoder: ScriptedEncoder, steps: GatedSteps
) -> None:
    steps.endless = {1}
    doubted = submit(engine, 1)
    assert steps.this_step() == [1]
    # Too many seats to be read beside it.
    waiting = submit(engine, 2, alternatives=CPU_SEQUENCES - 1)
    steps.open()
    assert texts(doubted) == ["b"]
    assert texts(waiting) == ["c"]
    assert encoder.names == [1, 1, 2]


def test_closing_finishes_what_was_taken(engine: Engine, steps: GatedSteps) -> None:
    futures = [submit(engine, name) for name in (1, 2)]
    steps.open()
    assert engine.close(WAIT)
    assert [texts(future) for future in futures] == [["b"], ["c"]]
    with pytest.raises(EngineClosed):
        submit(engine, 3)


def test_closing_gives_up_at_its_deadline(engine: Engine, steps: GatedSteps) -> None:
    steps.lengths[1] = 9
    running, waiting = submit(engine, 1), submit(engine, 2)
    assert steps.this_step() == [1]
    running.add_done_callback(lambda _: steps.open())
    assert not engine.close(0.01)
    assert waiting.cancelled()
    assert running.cancelled()
    assert steps.held == []


@pytest.mark.parametrize(
    ("name", "arithmetic"),
    [("tiny_en", Backend.plain), ("tiny_en", as_served), ("tiny_en", as_on_a_gpu), ("base", as_served)],
)
def test_clips_together_are_heard_as_each_alone(
    name: str, arithmetic: Any, clips: list[Samples], request: pytest.FixtureRequest
) -> None:
    """Token for token, with other readings that branch off beside them."""
    checkpoint: Checkpoint = request.getfixturevalue(name)
    options = [DecodingOptions("en", alternatives=i % 3) for i in range(len(clips))]
    with Engine(checkpoint, arithmetic(checkpoint)) as engine:
        alone = [engine.submit([clip], own).result(60) for clip, own in zip(clips, options, strict=True)]
        futures = [engine.submit([clip], own) for clip, own in zip(clips, options, strict=True)]
        together = [future.result(60) for future in futures]
    for one, other in zip(alone, together, strict=True):
        assert readings(one) == readings(other)
        assert one.windows[0].no_speech_probability == pytest.approx(other.windows[0].no_speech_probability, abs=1e-3)


@pytest.mark.parametrize("whole_windows", [False, True])
def test_a_gpus_shapes_and_batches_change_no_answer(
    base: Checkpoint, clips: list[Samples], whole_windows: bool
) -> None:
    """Token for token, other readings and all; that more silence is encoded with each clip changes none of them."""
    answers = []
    some = clips[:3] if whole_windows else clips  # each takes ten times as long
    for compute in (Backend.plain(base), as_on_a_gpu(base)):
        with Engine(base, compute, whole_windows=whole_windows) as engine:
            futures = [engine.submit([clip], DecodingOptions("en", alternatives=2)) for clip in some]
            answers.append([readings(future.result(120)) for future in futures])
    assert answers[0] == answers[1]


def readings(clip: DecodedClip) -> list[tuple[int, ...]]:
    all_readings: list[Reading] = [clip.windows[0].best, *clip.windows[0].alternatives]
    return [reading.tokens for reading in all_readings]
