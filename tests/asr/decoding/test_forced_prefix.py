"""A transcript whose beginning is given goes on as if the model had written it; given only where it is contradicted."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from asr.audio.decode import SAMPLE_RATE, Audio, Samples
from asr.decoding.hypothesis import DecodedWindow, DecodingOptions
from asr.decoding.stable_prefix import begins_with
from asr.engine.engine import Engine
from asr.engine.jobs import DecodedClip
from asr.runtime.choose import Backend
from asr.transcriber import Transcriber
from asr.whisper.checkpoints import Checkpoint
from asr.whisper.tokenizer import Tokenizer
from tests.asr.as_served import as_served
from tests.asr.fixed_shapes import as_on_a_gpu

WAIT = 60.0  # seconds after which a test has failed
ROUNDING = 1e-3  # of log-probabilities
FEWER_RIVALS = 0.05  # by which a reading is likelier where some are forbidden
ENGLISH = DecodingOptions("en", alternatives=2)
ARITHMETICS = {"torch": Backend.plain, "native": as_served, "static": as_on_a_gpu}
CONTRADICTION = "Coffee, please"  # no recording begins so


@pytest.fixture(scope="module", params=ARITHMETICS)
def engine(request: pytest.FixtureRequest, tiny_en: Checkpoint) -> Iterator[Engine]:
    compute = ARITHMETICS[request.param](tiny_en)
    with Engine(tiny_en, compute, threads=lambda: 1) as engine:  # more wait for each other in every small operation
        yield engine


@pytest.fixture(scope="module")
def clips(clips: list[Samples]) -> list[Samples]:
    """Enough of the recordings, of different lengths."""
    return clips[:4]


def windows_of(engine: Engine, clips: Sequence[Samples], options: Sequence[DecodingOptions]) -> list[DecodedWindow]:
    """All at once."""
    futures = [engine.submit([clip], own) for clip, own in zip(clips, options, strict=True)]
    clips_heard: list[DecodedClip] = [future.result(WAIT) for future in futures]
    return [clip.windows[0] for clip in clips_heard]


def word_beginnings(tokenizer: Tokenizer, tokens: Sequence[int]) -> list[int]:
    """How many tokens stand before each word but the first, and in all."""
    places = range(1, len(tokens))
    return [*(place for place in places if tokens[place] not in tokenizer.continuations), len(tokens)]


def test_words_that_were_heard_anyway_change_nothing_when_they_are_forced(engine: Engine, clips: list[Samples]) -> None:
    """However many of them."""
    for clip, free in zip(clips, windows_of(engine, clips, [ENGLISH] * len(clips)), strict=True):
        beginnings = word_beginnings(engine.checkpoint.tokenizer, free.best.tokens)
        assert len(beginnings) > 2
        options = [replace(ENGLISH, forced=free.best.tokens[:count]) for count in beginnings]
        for own, window in zip(options, windows_of(engine, [clip] * len(options), options), strict=True):
            assert window.best.text == free.best.text
            assert window.best.tokens == free.best.tokens
            # What would have gone on with the last word has no share of the probability.
            assert free.best.avg_logprob - ROUNDING < window.best.avg_logprob < free.best.avg_logprob + FEWER_RIVALS
            assert window.no_speech_probability == pytest.approx(free.no_speech_probability, abs=ROUNDING)
            for other in window.alternatives:
                assert other.tokens[: len(own.forced)] == own.forced


def test_what_is_forced_for_one_clip_changes_nothing_for_those_beside_it(engine: Engine, clips: list[Samples]) -> None:
    forced = engine.checkpoint.tokenizer.encode(CONTRADICTION)
    options = [replace(ENGLISH, forced=forced[: i % 4]) for i in range(len(clips))]
    alone = [windows_of(engine, [clip], [own])[0] for clip, own in zip(clips, options, strict=True)]
    together = windows_of(engine, clips, options)
    for one, other in zip(alone, together, strict=True):
        assert one.best.tokens == other.best.tokens
        assert [reading.tokens for reading in one.alternatives] == [reading.tokens for reading in other.alternatives]
        assert one.best.avg_logprob == pytest.approx(other.best.avg_logprob, abs=ROUNDING)


def test_stable_words_are_forced_only_where_they_are_contradicted(engine: Engine, clips: list[Samples]) -> None:
    for clip, free in zip(clips, windows_of(engine, clips, [ENGLISH] * len(clips)), strict=True):
        heard_words = free.best.text.split()
        agreed = " ".join(heard_words[:2])
        contradiction = f"Please {agreed}"
        options = [replace(ENGLISH, stable=stable) for stable in (agreed.upper(), contradiction)]
        heard, kept = windows_of(engine, [clip] * 2, options)
        assert heard.best.tokens == free.best.tokens
        assert kept.best.text.startswith(contradiction)
        assert kept.best.text.split()[-1].strip(".?!") == heard_words[-1].strip(".?!")  # the rest was heard
        assert kept.best.confidence < free.best.confidence
        assert all(other.text.startswith(contradiction) for other in kept.alternatives)


def test_a_stable_word_does_not_grow(engine: Engine, speech: Samples) -> None:
    free = windows_of(engine, [speech], [ENGLISH])[0].best.text
    first, *_, last = free.strip(".").split()
    torn = free[: free.index(last) + 3]
    assert not begins_with(free, torn)
    window = windows_of(engine, [speech], [replace(ENGLISH, stable=torn)])[0]
    assert begins_with(window.best.text, torn)
    assert window.best.text.startswith(first)


def test_only_the_first_window_of_a_recording_begins_with_the_stable_words(
    engine: Engine, clips: list[Samples]
) -> None:
    options = replace(ENGLISH, stable=CONTRADICTION)
    first, second = engine.submit(clips[:2], options).result(WAIT).windows
    assert begins_with(first.best.text, CONTRADICTION)
    assert second.best.tokens == windows_of(engine, clips[1:2], [ENGLISH])[0].best.tokens


def test_what_was_stable_stays_where_nothing_is_heard_any_more(engine: Engine) -> None:
    """The gate lets nothing through to the model; or the model doubts that somebody spoke."""
    transcriber, options = Transcriber(engine), replace(ENGLISH, stable=CONTRADICTION)
    nothing = transcriber.prepare_audio(silent := Audio(np.zeros(SAMPLE_RATE, np.float32), clipped=0.0))
    assert transcriber.assemble(nothing, options, None).text == CONTRADICTION
    clip = engine.submit([silent.samples], options).result(WAIT)
    prepared = replace(nothing, windows=(silent.samples,))
    assert begins_with(transcriber.assemble(prepared, options, clip).text, CONTRADICTION)
