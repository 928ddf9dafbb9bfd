"""Steps in fixed shapes: few of them, padded without a trace, and as they are where nothing can be captured."""

import logging

import pytest
import torch
from torch import Tensor

from asr.audio.decode import Samples
from asr.audio.features import log_mel_spectrogram
from asr.decoding.rules import Rules
from asr.decoding.stepper import CacheEntry, Row, Stepper
from asr.runtime.cuda_graphs import CudaGraphs
from asr.runtime.cuda_stepper import CudaStepper, Shape, sequence_bytes
from asr.runtime.torch_stepper import TorchStepper
from asr.whisper.checkpoints import Checkpoint
from asr.whisper.encoding import EncodedWindow, Encoder

PLACES = 6
PROMPT = (50257, 50362)  # of tiny.en


@pytest.fixture(scope="module")
def encoder(tiny_en: Checkpoint) -> Encoder:
    return Encoder(tiny_en.model.encoder)


@pytest.fixture(scope="module")
def windows(encoder: Encoder, clips: list[Samples]) -> list[EncodedWindow]:
    mels = [log_mel_spectrogram(clip, 80) for clip in clips]
    return [*(encoder.encode([mel])[0] for mel in mels), *encoder.encode_whole(mels[:1])]


@pytest.fixture
def static(tiny_en: Checkpoint, encoder: Encoder) -> CudaStepper:
    return CudaStepper(tiny_en.model.decoder, encoder.silence, context=Rules.of(tiny_en).context, places=PLACES)


@pytest.fixture
def exact(tiny_en: Checkpoint, encoder: Encoder) -> TorchStepper:
    return TorchStepper(tiny_en.model.decoder, encoder.silence, context=Rules.of(tiny_en).context)


def texts_with_forks(stepper: Stepper, windows: list[EncodedWindow], mask: Tensor, steps: int) -> list[list[int]]:
    """What follows about each window, and in forks that take the second choice; each joins a step after the last.

    A prompt is several rows of one sequence.
    """
    texts: list[tuple[CacheEntry, list[int], int]] = []  # place, tokens, how many are read
    for step in range(steps):
        if step < len(windows):
            texts.append((stepper.begin(stepper.hear(windows[step])), list(PROMPT), 0))
        rows = [[Row(past, text[i], i, mask) for i in range(read, len(text))] for past, text, read in texts]
        choices = iter(stepper.step([row for own in rows for row in own]))
        grown = []
        for (past, text, _), own in zip(texts, rows, strict=True):
            choice = [next(choices) for _ in own][-1]
            grown.append((past, [*text, choice.token], len(text)))
            if len(text) in (len(PROMPT), len(PROMPT) + 5) and len(texts) < 12:
                grown.append((stepper.fork(past, len(text)), [*text, choice.runner_up], len(text)))
        texts = grown
    for past, _, _ in texts:
        stepper.release(past)
    return [text for _, text, _ in texts]


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_padded_steps_say_what_exact_ones_say(
    static: CudaStepper, exact: TorchStepper, tiny_en: Checkpoint, windows: list[EncodedWindow], count: int
) -> None:
    """Token for token, among them a whole window; with the most there are more sequences than places were made."""
    mask, chosen = Rules.of(tiny_en).suppression.later, windows[-count:]
    assert texts_with_forks(static, chosen, mask, 14) == texts_with_forks(exact, chosen, mask, 14)


def test_steps_have_few_shapes(static: CudaStepper, windows: list[EncodedWindow]) -> None:
    short, whole = (static.begin(static.hear(window)) for window in (windows[0], windows[-1]))
    shapes = {
        static.shape([Row(past, 0, position)] * count)
        for past in (short, whole)
        for count in range(1, 257)
        for position in (0, 63, 64, 200)
    }
    assert {shape.rows for shape in shapes} == {1, 2, 4, 8, 16, 32, 64, 128, 192, 256}
    assert {shape.past for shape in shapes} == {64, static.context}
    assert {shape.frames for shape in shapes} == {512, 1536}
    assert static.shape([Row(short, 0, 5), Row(whole, 0, 70)]) == Shape(2, static.context, 1536)


def test_audio_is_kept_once_however_many_look_at_it_and_given_back_at_the_last(
    static: CudaStepper, windows: list[EncodedWindow]
) -> None:
    made = len(static.audios)
    for _ in range(3):
        audio = static.hear(windows[0])
        pasts = [static.begin(audio) for _ in range(3 * PLACES)]
        assert len(static.audios) == made
        for past in pasts:
            static.release(past)
    for past in [static.begin(static.hear(windows[0])) for _ in range(PLACES)]:
        static.release(past)
    assert len(static.audios) == made


def test_a_sequence_takes_as_much_memory_as_is_reckoned_with(
    static: CudaStepper, tiny_en: Checkpoint, windows: list[EncodedWindow]
) -> None:
    """At most: for a whole window, of which the audio is held twice."""
    audio = static.hear(windows[-1])
    kept = sum(tensor[0].nbytes for tensor in (*static.cache.tensors, *static.audios.tensors))
    taken = kept + audio.keys.nbytes + audio.values.nbytes
    assert 0.97 < taken / sequence_bytes(tiny_en.model.decoder, static.context) <= 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="graphs can be captured here")
def test_where_nothing_can_be_captured_the_function_runs_as_it_is_with_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    graphs: CudaGraphs[int] = CudaGraphs(lambda numbers, factor: factor * numbers, torch.device("cpu"))
    with caplog.at_level(logging.WARNING):
        assert [graphs(torch.tensor([2, 3]), factor).tolist() for factor in (5, 5, 7)] == [[10, 15], [10, 15], [14, 21]]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "CUDA graphs do not work here" in caplog.text
