"""Several engines answer as one does, share the work and end together."""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future
from typing import Any

import pytest
import torch

from asr.audio.decode import Samples
from asr.decoding.hypothesis import DecodingOptions
from asr.decoding.stepper import Choice, Row
from asr.engine.engine import Engine
from asr.engine.jobs import DecodedClip
from asr.engine.replicas import Replicas
from asr.errors import EngineClosed, RecognitionFailed
from asr.runtime.choose import Backend
from asr.runtime.cpu_shares import CpuShares
from asr.runtime.precision import Precision
from asr.whisper.checkpoints import Checkpoint
from tests.asr.as_served import replicas_as_served
from tests.asr.engine.test_engine import WAIT, GatedSteps, ScriptedEncoder, readings, texts, window
from tests.asr.scripted import scripted_checkpoint


class Steps(GatedSteps):
    def __init__(self) -> None:
        super().__init__()
        self.threads = 0

    def step(self, rows: Sequence[Row]) -> list[Choice]:
        self.threads = torch.get_num_threads()
        return super().step(rows)

    def shut(self) -> None:
        """Have the next step wait again; those before have all been let through."""
        self._is_open = False
        self._entered, self._may_go_on = threading.Semaphore(0), threading.Semaphore(0)


class Two:
    """Two replicas whose steps wait to be let through."""

    def __init__(self) -> None:
        self.encoders = [ScriptedEncoder(), ScriptedEncoder()]
        self.steps = [Steps(), Steps()]
        self.replicas = Replicas(
            scripted_checkpoint(),
            [
                Backend(encoder, steps, 1, torch.device("cpu"))
                for encoder, steps in zip(self.encoders, self.steps, strict=True)
            ],
        )

    def submit(self, *names: int) -> "Future[DecodedClip]":
        return self.replicas.submit([window(name) for name in names], DecodingOptions())

    def ask(self, name: int, of: int) -> "Future[DecodedClip]":
        """Submit a clip that this replica must get, and let it through until it has left."""
        future = self.submit(name)
        assert self.steps[of].this_step() == [name]
        self.let_all_through([future])
        return future

    def let_all_through(self, futures: "list[Future[DecodedClip]]") -> None:
        """Until they have left their replicas, which is a moment after they have been answered."""
        left = [threading.Event() for _ in futures]
        for future, event in zip(futures, left, strict=True):
            future.add_done_callback(lambda _, event=event: event.set())  # called after the replica's own
        self.open()
        assert all(event.wait(WAIT) for event in left)
        for steps in self.steps:
            steps.shut()

    def open(self) -> None:
        for steps in self.steps:
            steps.open()

    @property
    def heard(self) -> list[list[int]]:
        """The clips that each replica has encoded."""
        return [encoder.names for encoder in self.encoders]


@pytest.fixture
def two() -> Iterator[Two]:
    two = Two()
    yield two
    two.open()
    two.replicas.close(WAIT)
    assert [steps.held for steps in two.steps] == [[], []]


def test_a_clip_goes_to_the_replica_with_the_least_to_do(two: Two) -> None:
    futures = [two.submit(5), two.submit(1), two.submit(2), two.submit(3)]
    two.open()
    assert [texts(future) for future in futures] == [["f"], ["b"], ["c"], ["d"]]
    assert two.heard == [[5], [1, 2, 3]]
    assert (two.replicas.windows_heard, two.replicas.hearings) == (4, 4)


def test_clips_that_come_one_by_one_go_to_the_same_replica(two: Two) -> None:
    for name in (1, 2, 3):
        two.ask(name, of=0)
    assert two.heard == [[1, 2, 3], []]


def test_clips_that_have_left_leave_nothing_behind(two: Two) -> None:
    """Fractions of seconds, added and taken away in another order, once left a little less than nothing."""
    futures = [two.submit(name) for name in (5, 1, 2)]
    for steps in two.steps:
        steps.this_step()
    two.let_all_through(futures)
    assert two.heard == [[5], [1, 2]]
    two.ask(3, of=0)


def test_what_is_cancelled_is_no_work_any_more(two: Two) -> None:
    long = two.submit(5, 5, 5)
    assert two.steps[0].this_step() == [5]
    beside = two.submit(4)
    assert two.steps[1].this_step() == [4]
    long.cancel()
    assert not beside.done()
    last = two.submit(1)
    two.open()
    assert texts(last) == ["b"]
    assert two.heard == [[5, 1], [4]]


def test_a_replica_takes_the_threads_of_one_that_has_nothing_to_do(two: Two) -> None:
    one, other = two.steps
    one.lengths[1] = 3
    futures = [two.submit(1)]
    assert one.this_step() == [1]
    assert one.threads == 2
    futures.append(two.submit(2))
    assert other.this_step() == [2]
    assert one.next_step() == [1]
    assert (one.threads, other.threads) == (1, 1)
    two.let_all_through(futures)
    two.ask(3, of=0)
    assert one.threads == 2


def test_what_waits_is_counted_over_all(two: Two) -> None:
    two.submit(1), two.submit(1)
    for steps in two.steps:
        assert steps.this_step() == [1]
    two.submit(2), two.submit(2), two.submit(2)
    assert two.replicas.queue_depth == 3


def test_a_replica_that_fails_rests_while_the_other_works(two: Two, caplog: pytest.LogCaptureFixture) -> None:
    """With the least ahead, for it fails at once, it would draw all clips to it."""
    two.steps[0].broken = {1, 2, 3}
    with caplog.at_level(logging.ERROR), pytest.raises(RecognitionFailed, match="the step broke"):
        two.ask(1, of=0).result()
    assert texts(two.ask(2, of=1)) == ["c"]
    assert texts(two.ask(3, of=1)) == ["d"]
    assert two.replicas.resting == 1
    assert "a replica failed" in caplog.text


def test_where_all_fail_all_are_tried(two: Two) -> None:
    for of, steps in enumerate(two.steps):
        steps.broken = {1}
        with pytest.raises(RecognitionFailed, match="the step broke"):
            two.ask(1, of).result()
    assert two.replicas.resting == 2
    assert texts(two.ask(2, of=0)) == ["c"]


def test_closing_finishes_what_all_replicas_have_taken(two: Two) -> None:
    futures = [two.submit(name) for name in (1, 2, 3, 4)]
    two.open()
    assert two.replicas.close(WAIT)
    assert [texts(future) for future in futures] == [["b"], ["c"], ["d"], ["e"]]
    with pytest.raises(EngineClosed):
        two.submit(5)


def test_closing_gives_up_at_its_deadline_everywhere(two: Two) -> None:
    futures = [two.submit(1) for _ in range(4)]
    for steps, running in zip(two.steps, futures, strict=False):
        assert steps.this_step() == [1]
        running.add_done_callback(lambda _, steps=steps: steps.open())
    assert not two.replicas.close(0.01)
    for future in futures:
        with pytest.raises(CancelledError):
            future.result()


def test_replicas_that_are_busy_at_once_are_busy_for_the_clocks_seconds(
    tiny_en: Checkpoint, clips: list[Samples]
) -> None:
    """Admission takes them for the time that a newcomer waits: both at once are no longer than one.

    The clock runs in the same test, from when there is work until it is done. At every moment of it a replica works, so
    that the average over the two is at least half of it. Half of that is left for what lies between a replica's turns.
    """
    computes = replicas_as_served(tiny_en, CpuShares(replicas=2, threads=1, audio_workers=0))
    with Replicas(tiny_en, computes) as replicas:
        started = time.monotonic()
        for future in [replicas.submit([clip], DecodingOptions("en")) for clip in clips]:
            future.result(WAIT)
        replicas.close()
        elapsed = time.monotonic() - started
        assert elapsed / 4 < replicas.busy_seconds <= elapsed
        assert replicas.hearings >= len(clips)


@pytest.mark.parametrize("precision", [Precision.AUTO, Precision.FLOAT32])
def test_two_replicas_hear_what_one_engine_hears(tiny_en: Checkpoint, clips: list[Samples], precision: Any) -> None:
    """Token for token, in the same arithmetic, with the clips spread over both."""
    options = [DecodingOptions("en", alternatives=i % 3) for i in range(len(clips))]
    shares = CpuShares(replicas=2, threads=1, audio_workers=0)
    one, *others = replicas_as_served(tiny_en, shares, precision)
    with Engine(tiny_en, one) as engine:
        alone = [engine.submit([clip], own).result(WAIT) for clip, own in zip(clips, options, strict=True)]
    with Replicas(tiny_en, [one, *others]) as replicas:
        futures = [replicas.submit([clip], own) for clip, own in zip(clips, options, strict=True)]
        together = [future.result(WAIT) for future in futures]
        heard = [replica.engine.windows_heard for replica in replicas._replicas]
    assert [readings(clip) for clip in together] == [readings(clip) for clip in alone]
    assert min(heard) > 0
    assert sum(heard) == len(clips)


def test_replicas_on_the_processor_share_their_weights(tiny_en: Checkpoint) -> None:
    one, other = replicas_as_served(tiny_en, CpuShares(replicas=2, threads=1, audio_workers=0))
    assert one.encoder is other.encoder
    assert one.stepper is not other.stepper


def test_it_says_how_many_replicas_compute_and_how(tiny_en: Checkpoint) -> None:
    for count, told in ((1, "encoder float32, decoder float32, 1 thread"), (2, "2 replicas, each encoder float32")):
        computes = replicas_as_served(tiny_en, CpuShares(count, threads=1, audio_workers=0), Precision.FLOAT32)
        with Replicas(tiny_en, computes) as replicas:
            assert replicas.compute.startswith(told)
