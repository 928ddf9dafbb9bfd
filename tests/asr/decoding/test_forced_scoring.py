"""Texts are as likely as the network says of each alone, however many are scored together and beside whatever."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
import torch

from asr.audio.decode import Samples
from asr.audio.features import log_mel_spectrogram, padded_to_window
from asr.decoding.forced_scoring import ROWS_AT_ONCE, TEXTS_AT_ONCE
from asr.decoding.hypothesis import DecodingOptions
from asr.engine.engine import Engine
from asr.engine.jobs import DecodedClip
from asr.errors import EngineClosed
from asr.runtime.choose import Backend
from asr.transcript import Likelihood
from asr.whisper.checkpoints import Checkpoint
from tests.asr.as_served import as_served
from tests.asr.fixed_shapes import as_on_a_gpu

WAIT = 60.0  # seconds after which a test has failed
ROUNDING = 1e-3  # of log-probabilities
ENGLISH = DecodingOptions("en", keeps_audio=True)
ARITHMETICS = {"torch": Backend.plain, "native": as_served, "static": as_on_a_gpu}
TEXTS = (
    "Show me hotels in Reykjavik.",
    "Show me hotels in Rome.",
    "Show me hotels",
    "Coffee in Toronto",
    "Coffee in Toronto, please.",
    "Restaurants in Singapore",
    "Saint-Denis (Réunion)",
    "東京",
    "Coffee in Toronto",
    "",
)


@pytest.fixture(scope="module", params=ARITHMETICS)
def engine(request: pytest.FixtureRequest, tiny_en: Checkpoint) -> Iterator[Engine]:
    compute = ARITHMETICS[request.param](tiny_en)
    with Engine(tiny_en, compute, threads=lambda: 1) as engine:
        yield engine


def heard(engine: Engine, clip: Samples) -> DecodedClip:
    return engine.submit([clip], ENGLISH).result(WAIT)


def scores(clip: DecodedClip, texts: Sequence[str]) -> list[Likelihood]:
    assert clip.score
    return clip.score(texts).result(WAIT)


def test_a_text_is_as_likely_as_the_network_says(tiny_en: Checkpoint, clips: list[Samples]) -> None:
    """In float32, by reading the whole text at once after the whole window."""
    model, tokenizer = tiny_en.model, tiny_en.tokenizer
    with Engine(tiny_en, Backend.plain(tiny_en), whole_windows=True) as engine:
        told = scores(heard(engine, clips[0]), TEXTS)
    mel = padded_to_window(log_mel_spectrogram(clips[0], model.dims.n_mels, "cpu"))
    prompt = tokenizer.prompt("en")
    with torch.inference_mode():
        audio = model.encoder(mel[None])
        for text, likelihood in zip(TEXTS, told, strict=True):
            tokens = [*prompt, *tokenizer.encode(text), tokenizer.eot]
            logprobs = model.decoder(torch.tensor([tokens[:-1]]), audio)[0].log_softmax(dim=-1)
            expected = [logprobs[i - 1, tokens[i]].item() for i in range(len(prompt), len(tokens))]
            assert likelihood.tokens == len(expected)
            assert likelihood.logprob == pytest.approx(sum(expected), abs=ROUNDING * len(expected))


def test_texts_together_are_as_likely_as_each_alone(engine: Engine, clips: list[Samples]) -> None:
    clip = heard(engine, clips[0])
    together = scores(clip, TEXTS)
    for text, likelihood in zip(TEXTS, together, strict=True):
        (alone,) = scores(clip, [text])
        assert alone.tokens == likelihood.tokens
        assert alone.logprob == pytest.approx(likelihood.logprob, abs=ROUNDING * alone.tokens)


def test_more_texts_than_fit_into_a_step_are_scored(engine: Engine, clips: list[Samples]) -> None:
    clip = heard(engine, clips[0])
    many = [f"{number} {' '.join(TEXTS)}" for number in range(20)]
    assert len(many) > TEXTS_AT_ONCE
    assert sum(map(len, map(str.split, many[:TEXTS_AT_ONCE]))) > ROWS_AT_ONCE
    for one, other in zip(scores(clip, many[15:17]), scores(clip, many)[15:17], strict=True):
        assert one.logprob == pytest.approx(other.logprob, abs=ROUNDING * one.tokens)


def test_what_was_heard_is_likelier_than_what_was_not(engine: Engine, clips: list[Samples]) -> None:
    for clip in clips[:4]:
        decoded = heard(engine, clip)
        best = decoded.windows[0].best
        likelihood, *others = scores(decoded, [best.text, *TEXTS])
        # What may not be written has its share of the probability here.
        forbidden = best.avg_logprob * (len(best.tokens) + 1) - likelihood.logprob
        assert -ROUNDING < forbidden < 0.5
        assert likelihood.logprob > max(other.logprob for other in others)


def test_clips_and_texts_beside_each_other_change_nothing(engine: Engine, clips: list[Samples]) -> None:
    first, *others = (heard(engine, clip) for clip in clips[:4])
    alone = scores(first, TEXTS)
    assert first.score
    futures = [engine.submit([clip], ENGLISH) for clip in clips[1:4]]
    beside = first.score(TEXTS).result(WAIT)
    for one, other in zip(alone, beside, strict=True):
        assert one.logprob == pytest.approx(other.logprob, abs=ROUNDING * one.tokens)
    for clip, future in zip(others, futures, strict=True):
        assert future.result(WAIT).windows[0].best.tokens == clip.windows[0].best.tokens


def test_a_text_that_no_transcript_may_be_as_long_as_is_impossible(engine: Engine, clips: list[Samples]) -> None:
    clip = heard(engine, clips[0])
    long, short = scores(clip, ["word " * 400, "word"])
    assert long.logprob == -math.inf
    assert short.logprob > -100
    assert scores(clip, ["word " * 400])[0].logprob == -math.inf
    assert scores(clip, []) == []


def test_a_special_token_in_a_text_is_text(engine: Engine, clips: list[Samples]) -> None:
    """Of "<|endoftext|> x" nothing was read, so that it was the likeliest text of all."""
    clip = heard(engine, clips[0])
    plain, *others = scores(clip, [clip.windows[0].best.text, "<|endoftext|> x", "<|en|>"])
    assert all(other.logprob < plain.logprob - 10 for other in others)


def test_audio_is_kept_only_where_it_is_asked_for_and_of_a_single_window(engine: Engine, clips: list[Samples]) -> None:
    assert engine.submit([clips[0]], replace(ENGLISH, keeps_audio=False)).result(WAIT).score is None
    assert engine.submit([clips[0], clips[1]], ENGLISH).result(WAIT).score is None


def test_scoring_that_is_cancelled_frees_what_it_held(engine: Engine, clips: list[Samples]) -> None:
    clip = heard(engine, clips[0])
    assert clip.score
    futures = [clip.score([f"{text} {number}" for number in range(200) for text in TEXTS]) for _ in range(4)]
    for future in futures:
        future.cancel()
    assert scores(clip, TEXTS)  # comes after them
    assert not engine.has_work


def test_after_close_nothing_is_scored(tiny_en: Checkpoint, clips: list[Samples]) -> None:
    with Engine(tiny_en) as engine:
        clip = heard(engine, clips[0])
    assert clip.score
    with pytest.raises(EngineClosed, match="shutting down"):
        clip.score(TEXTS)
