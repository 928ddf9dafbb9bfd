"""On a GPU: what a CPU says is said there too. Skipped where there is none."""

from dataclasses import replace

import pytest
import torch

from asr.audio.decode import Samples
from asr.audio.features import log_mel_spectrogram
from asr.decoding.hypothesis import DecodingOptions
from asr.engine.engine import Engine
from asr.engine.jobs import DecodedClip
from asr.runtime.choose import Backend, choose_backend
from asr.runtime.cuda_stepper import CudaStepper
from asr.runtime.precision import Precision
from asr.whisper.checkpoints import Checkpoint

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")

WAIT = 120.0  # seconds after which a test has failed


@pytest.fixture(scope="module", params=["tiny_en", "base"])
def checkpoint(request: pytest.FixtureRequest) -> Checkpoint:
    return request.getfixturevalue(request.param)


def heard(checkpoint: Checkpoint, compute: Backend, clips: list[Samples], *, whole: bool = False) -> list[DecodedClip]:
    with Engine(checkpoint, compute, whole_windows=whole) as engine:
        futures = [engine.submit([clip], DecodingOptions("en", alternatives=i % 3)) for i, clip in enumerate(clips)]
        return [future.result(WAIT) for future in futures]


def texts(answers: list[DecodedClip]) -> list[str]:
    return [answer.windows[0].best.text for answer in answers]


def tokens(answers: list[DecodedClip]) -> list[list[tuple[int, ...]]]:
    windows = [answer.windows[0] for answer in answers]
    return [[reading.tokens for reading in (window.best, *window.alternatives)] for window in windows]


def in_graphs(compute: Backend) -> bool:
    return "in CUDA graphs" in str(compute)


def with_steps(compute: Backend, *, places: int, graphs: bool) -> Backend:
    """The same weights in another stepper."""
    given = compute.stepper
    assert isinstance(given, CudaStepper)
    silence = compute.encoder.silence
    return replace(
        compute, stepper=CudaStepper(given.decoder, silence, context=given.context, places=places, graphs=graphs)
    )


def test_bfloat16_is_what_runs_unless_something_else_is_asked_for(tiny_en: Checkpoint) -> None:
    assert str(choose_backend(tiny_en)) == "encoder bfloat16, decoder bfloat16 in CUDA graphs, cuda:0"
    assert str(choose_backend(tiny_en, Precision.FLOAT32)) == "encoder float32, decoder float32 in CUDA graphs, cuda:0"


@pytest.mark.parametrize("whole", [False, True])
def test_bfloat16_says_what_the_processor_says(checkpoint: Checkpoint, clips: list[Samples], whole: bool) -> None:
    compute = choose_backend(checkpoint)
    answers = heard(checkpoint, compute, clips, whole=whole)
    assert in_graphs(compute), "nothing could be captured"
    assert texts(answers) == texts(heard(checkpoint, Backend.plain(checkpoint), clips, whole=whole))


@pytest.mark.parametrize("whole", [False, True])
def test_float32_is_the_processors_token_for_token(checkpoint: Checkpoint, clips: list[Samples], whole: bool) -> None:
    compute = choose_backend(checkpoint, Precision.FLOAT32)
    answers = heard(checkpoint, compute, clips, whole=whole)
    assert in_graphs(compute), "nothing could be captured"
    assert tokens(answers) == tokens(heard(checkpoint, Backend.plain(checkpoint), clips, whole=whole))


@pytest.mark.parametrize("precision", [Precision.BFLOAT16, Precision.FLOAT32])
def test_graphs_say_what_steps_without_them_say(
    checkpoint: Checkpoint, clips: list[Samples], precision: Precision
) -> None:
    compute = choose_backend(checkpoint, precision)
    eager = with_steps(compute, places=64, graphs=False)
    assert tokens(heard(checkpoint, compute, clips)) == tokens(heard(checkpoint, eager, clips))
    assert in_graphs(compute), "nothing could be captured"
    assert not in_graphs(eager)


def test_graphs_outlive_more_sequences_than_there_were_places_for(tiny_en: Checkpoint, clips: list[Samples]) -> None:
    """The memory that they read moves; they are captured anew."""
    compute = choose_backend(tiny_en, Precision.FLOAT32)
    few = with_steps(compute, places=2, graphs=True)
    assert tokens(heard(tiny_en, few, clips)) == tokens(heard(tiny_en, compute, clips))
    assert in_graphs(few), "nothing could be captured"


def test_log_mel_is_computed_on_the_gpu(speech: Samples) -> None:
    there = log_mel_spectrogram(speech, 80, torch.device("cuda", 0))
    assert there.is_cuda
    torch.testing.assert_close(there.cpu(), log_mel_spectrogram(speech, 80), atol=1e-4, rtol=0)
