"""The engine's queue: bounded, in turns, cancellable, and closed in order. The model here is a scripted one."""

import threading
from concurrent.futures import CancelledError, Future
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from asr.decoding import DecodedWindow, DecodingCancelled, DecodingOptions, Reading
from asr.engine import DecodedClip, Engine
from asr.errors import EngineBusy, EngineClosed

WAIT = 10.0  # seconds after which a test has failed


class Model:
    """Stands in for encoder and decoder: a window's first number is its name; work waits until `go` is set."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.begun: list[int] = []
        self.started = threading.Event()

    def encoder(self, windows: Tensor) -> Tensor:
        return windows

    def decode(self, encoded: Tensor, options: DecodingOptions, cancelled) -> DecodedWindow:
        name = int(encoded.flatten()[0])
        self.begun.append(name)
        self.started.set()
        while not self.go.wait(0.001):
            if cancelled():
                raise DecodingCancelled
        if name < 0:
            raise RuntimeError("the model broke")
        return DecodedWindow(Reading(str(name), (name,), -0.1), (), "en", 0.0)


def window(name: int) -> Tensor:
    return torch.full((80, 4), float(name))


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def engine(model: Model):
    engine = Engine(SimpleNamespace(model=SimpleNamespace(encoder=model.encoder)), decoder=model, max_queue=3)
    yield engine
    model.go.set()
    engine.close(WAIT)


def texts(future: "Future[DecodedClip]") -> list[str]:
    return [window.best.text for window in future.result(WAIT).windows]


def submit(engine: Engine, *names: int) -> "Future[DecodedClip]":
    return engine.submit([window(name) for name in names], DecodingOptions())


def test_clips_are_answered_in_order(engine: Engine, model: Model) -> None:
    futures = [submit(engine, name) for name in (1, 2, 3)]
    model.go.set()
    assert [texts(future) for future in futures] == [["1"], ["2"], ["3"]]
    assert model.begun == [1, 2, 3]


def test_a_full_queue_refuses_more(engine: Engine, model: Model) -> None:
    submit(engine, 0)
    assert model.started.wait(WAIT)
    for name in (1, 2, 3):
        submit(engine, name)
    with pytest.raises(EngineBusy):
        submit(engine, 4)
    assert engine.queue_depth == 3


def test_a_cancelled_clip_leaves_the_queue_at_once(engine: Engine, model: Model) -> None:
    submit(engine, 0)
    assert model.started.wait(WAIT)
    waiting = [submit(engine, name) for name in (1, 2, 3)]
    waiting[1].cancel()
    assert engine.queue_depth == 2
    last = submit(engine, 4)
    model.go.set()
    assert texts(last) == ["4"]
    assert model.begun == [0, 1, 3, 4]


def test_a_clip_that_is_cancelled_while_it_runs_makes_way(engine: Engine, model: Model) -> None:
    running = submit(engine, 0)
    assert model.started.wait(WAIT)
    following = submit(engine, 1)
    running.cancel()
    model.go.set()
    assert texts(following) == ["1"]
    with pytest.raises(CancelledError):
        running.result()


def test_a_long_recording_lets_short_clips_in_between(engine: Engine, model: Model) -> None:
    long = submit(engine, 1, 2, 3)
    assert model.started.wait(WAIT)
    short = submit(engine, 9)
    model.go.set()
    assert texts(short) == ["9"]
    assert texts(long) == ["1", "2", "3"]
    assert model.begun == [1, 9, 2, 3]


def test_a_failure_is_the_clips_own(engine: Engine, model: Model) -> None:
    broken, sound = submit(engine, -1), submit(engine, 1)
    model.go.set()
    with pytest.raises(RuntimeError, match="the model broke"):
        broken.result(WAIT)
    assert texts(sound) == ["1"]


def test_closing_finishes_what_was_taken(engine: Engine, model: Model) -> None:
    futures = [submit(engine, name) for name in (1, 2)]
    model.go.set()
    assert engine.close(WAIT)
    assert [texts(future) for future in futures] == [["1"], ["2"]]
    with pytest.raises(EngineClosed):
        submit(engine, 3)


def test_closing_gives_up_at_its_deadline(engine: Engine, model: Model) -> None:
    running, waiting = submit(engine, 1), submit(engine, 2)
    assert model.started.wait(WAIT)
    assert not engine.close(0.01)
    assert waiting.cancelled()
    assert running.cancelled()
