"""Greedy decoding: the reference's text with real weights, and every rule with logits that are known."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import whisper
from torch import Tensor

from asr.audio import Samples, decode_audio
from asr.checkpoints import Checkpoint
from asr.decoding import DecodingCancelled, DecodingOptions, WindowDecoder
from asr.errors import UnknownLanguage
from asr.features import log_mel_spectrogram
from asr.model import KeyValueCache
from tests.asr.reference import reference_model


@pytest.mark.parametrize("name", ["tiny_en", "base"])
@torch.inference_mode()
def test_text_and_figures_equal_the_reference(name: str, sample_files, request: pytest.FixtureRequest) -> None:
    checkpoint: Checkpoint = request.getfixturevalue(name)
    theirs = reference_model(checkpoint.model.dims, checkpoint.model.state_dict())
    options = whisper.DecodingOptions(language="en", without_timestamps=True, fp16=False)
    decoder = WindowDecoder(checkpoint)
    for file in sample_files:
        mel = log_mel_spectrogram(decode_audio(file.read_bytes()).samples, checkpoint.model.dims.n_mels)[None]
        expected = whisper.decode(theirs, mel, options)[0]
        ours = decoder.decode(checkpoint.model.encoder(mel), DecodingOptions("en"))
        assert ours.best.text == expected.text
        assert list(ours.best.tokens) == expected.tokens
        assert ours.best.avg_logprob == pytest.approx(expected.avg_logprob, abs=1e-3)
        assert ours.no_speech_probability == pytest.approx(expected.no_speech_prob, abs=1e-3)


@torch.inference_mode()
def test_the_language_is_found_among_those_named(base: Checkpoint, speech: Samples) -> None:
    encoded = base.model.encoder(log_mel_spectrogram(speech, 80)[None])
    decoder = WindowDecoder(base)
    assert decoder.decode(encoded, DecodingOptions(languages=("de", "en", "ja"))).language == "en"
    assert decoder.decode(encoded, DecodingOptions(languages=("de",))).language == "de"
    with pytest.raises(UnknownLanguage, match="xx"):
        decoder.decode(encoded, DecodingOptions("xx"))


@torch.inference_mode()
def test_alternatives_leave_the_best_reading_alone(base: Checkpoint, sample_files) -> None:
    decoder = WindowDecoder(base)
    noise = np.random.default_rng(0).normal(0, 0.02, 16_000 * 30).astype(np.float32)
    given = 0
    for file in sample_files[:4]:
        samples = decode_audio(file.read_bytes()).samples
        encoded = base.model.encoder(log_mel_spectrogram(samples + noise[: len(samples)], 80)[None])
        alone = decoder.decode(encoded, DecodingOptions("en"))
        beside = decoder.decode(encoded, DecodingOptions("en", alternatives=3))
        assert beside.best == alone.best
        assert len(beside.alternatives) <= 3
        assert all(other.tokens != alone.best.tokens for other in beside.alternatives)
        confidences = [other.confidence for other in beside.alternatives]
        assert confidences == sorted(confidences, reverse=True)
        given += len(beside.alternatives)
    assert given > 0


EOT, SOT, PROMPT_END = 7, 8, 9
VOCABULARY = 12
NO_SPEECH = 11


class ScriptedDecoder:
    """A decoder whose logits are known: `script` maps what has been said to the next tokens' probabilities."""

    positional_embedding = torch.zeros(1)

    def __init__(self, script: dict[tuple[int, ...], dict[int, float]]) -> None:
        self.script = script
        self.steps = 0

    def start(self, encoded: Tensor) -> KeyValueCache:
        """The cache's one tensor holds the tokens themselves."""
        return KeyValueCache([torch.full((1, 1, 40, 1), -1.0)], [torch.zeros(1, 1, 1, 1)], [], [])

    def __call__(self, tokens: Tensor, starts: list[int], cache: KeyValueCache) -> Tensor:
        self.steps += 1
        memory = cache.self_keys[0]
        logits = torch.full((*tokens.shape, VOCABULARY), -30.0)
        for row, start in enumerate(starts):
            for i, token in enumerate(tokens[row].tolist()):
                memory[row, 0, start + i, 0] = token
                said = tuple(int(t) for t in memory[row, 0, 2 : start + i + 1, 0].tolist())
                for following, probability in self.script.get(said, {EOT: 1.0}).items():
                    logits[row, i, following] = np.log(probability)
        return logits


def scripted(script: dict[tuple[int, ...], dict[int, float]], **rules: tuple[int, ...]) -> WindowDecoder:
    tokenizer = SimpleNamespace(
        sot=SOT,
        eot=EOT,
        no_speech=NO_SPEECH,
        is_multilingual=False,
        prompt=lambda _: [SOT, PROMPT_END],
        decode=lambda tokens: "".join("abcdefg"[t] for t in tokens),
    )
    model = SimpleNamespace(decoder=ScriptedDecoder(script), dims=SimpleNamespace(n_text_ctx=20))
    return WindowDecoder(
        SimpleNamespace(
            model=model,
            tokenizer=tokenizer,
            suppress=rules.get("suppress", ()),
            suppress_at_start=rules.get("suppress_at_start", ()),
        )
    )


ENCODED = torch.zeros(1, 1, 1)
A, B, C, D = range(4)


def test_the_likeliest_token_is_taken_until_the_end() -> None:
    decoder = scripted({(): {A: 0.9, B: 0.1}, (A,): {C: 0.6, B: 0.4}, (A, C): {EOT: 0.8, A: 0.2}})
    best = decoder.decode(ENCODED, DecodingOptions()).best
    assert best.text == "ac"
    assert best.confidence == pytest.approx((0.9 * 0.6 * 0.8) ** (1 / 3), rel=1e-3)


def test_suppressed_tokens_are_never_taken() -> None:
    script = {(): {A: 0.9, B: 0.1}, (B,): {A: 0.9, C: 0.1}}
    assert scripted(script, suppress=(A,)).decode(ENCODED, DecodingOptions()).best.text == "bc"


def test_tokens_suppressed_at_the_start_may_come_later() -> None:
    script = {(): {EOT: 0.5, A: 0.3, B: 0.2}, (B,): {A: 0.9, C: 0.1}}
    assert scripted(script, suppress_at_start=(EOT, A)).decode(ENCODED, DecodingOptions()).best.text == "ba"


def test_an_endless_reading_stops_at_half_the_context() -> None:
    script = {(A,) * n: {A: 1.0} for n in range(30)}
    assert scripted(script).decode(ENCODED, DecodingOptions()).best.text == "a" * 10


def test_alternatives_branch_where_the_model_hesitates() -> None:
    script = {
        (): {A: 0.995, D: 0.005},
        (A,): {B: 0.57, C: 0.43},
        (A, B): {EOT: 0.9, D: 0.1},
        (A, C): {D: 1.0},
        (A, C, D): {EOT: 1.0},
    }
    decoded = scripted(script).decode(ENCODED, DecodingOptions(alternatives=2))
    assert decoded.best.text == "ab"
    assert [other.text for other in decoded.alternatives] == ["acd", "abd"]
    assert decoded.alternatives[0].confidence == pytest.approx((0.995 * 0.43) ** (1 / 4), rel=1e-3)


def test_nothing_hesitant_has_no_alternatives() -> None:
    decoder = scripted({(): {A: 0.999, B: 0.001}})
    assert decoder.decode(ENCODED, DecodingOptions(alternatives=5)).alternatives == ()


def test_the_no_speech_probability_is_read_at_the_start_of_transcript() -> None:
    class Noisy(ScriptedDecoder):
        def __call__(self, tokens: Tensor, starts: list[int], cache: KeyValueCache) -> Tensor:
            logits = super().__call__(tokens, starts, cache)
            if starts == [0]:
                logits[0, 0] = -30.0
                logits[0, 0, NO_SPEECH], logits[0, 0, A] = np.log(0.75), np.log(0.25)
            return logits

    decoder = scripted({})
    decoder.decoder = Noisy({(): {A: 1.0}})
    assert decoder.decode(ENCODED, DecodingOptions()).no_speech_probability == pytest.approx(0.75, rel=1e-3)


def test_a_cancelled_reading_stops_at_the_next_token() -> None:
    decoder = scripted({(A,) * n: {A: 1.0} for n in range(30)})
    answers = iter([False, False, True])
    with pytest.raises(DecodingCancelled):
        decoder.decode(ENCODED, DecodingOptions(), lambda: next(answers))
    assert decoder.decoder.steps == 4  # the start, the prompt, two tokens
