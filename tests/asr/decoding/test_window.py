"""Greedy decoding: the reference's text with real weights, and every rule with logits that are known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import whisper

from asr.audio.decode import Samples
from asr.audio.features import log_mel_spectrogram, padded_to_window
from asr.decoding.hypothesis import DecodedWindow, DecodingOptions
from asr.decoding.rules import Rules
from asr.decoding.window import WindowDecoding
from asr.engine.engine import Engine
from asr.errors import RecognitionFailed
from asr.whisper.checkpoints import Checkpoint
from tests.asr.reference import reference_model
from tests.asr.scripted import (
    ENGLISH,
    EOT,
    GERMAN,
    MAX_TOKENS,
    NO_SPEECH,
    A,
    B,
    C,
    D,
    ScriptedSteps,
    scripted_rules,
)

WAIT = 60.0  # seconds after which a test has failed


def heard(engine: Engine, samples: Samples, options: DecodingOptions) -> DecodedWindow:
    return engine.submit([samples], options).result(WAIT).windows[0]


@pytest.mark.parametrize("name", ["tiny_en", "base"])
@torch.inference_mode()
def test_text_and_figures_equal_the_reference(name: str, clips: list[Samples], request: pytest.FixtureRequest) -> None:
    checkpoint: Checkpoint = request.getfixturevalue(name)
    theirs = reference_model(checkpoint.model.dims, checkpoint.model.state_dict())
    options = whisper.DecodingOptions(language="en", without_timestamps=True, fp16=False)
    with Engine(checkpoint, whole_windows=True) as engine:
        for clip in clips:
            mel = padded_to_window(log_mel_spectrogram(clip, checkpoint.model.dims.n_mels))
            expected = whisper.decode(theirs, mel, options)
            ours = heard(engine, clip, DecodingOptions("en"))
            assert ours.best.text == expected.text
            assert list(ours.best.tokens) == expected.tokens
            assert ours.best.avg_logprob == pytest.approx(expected.avg_logprob, abs=1e-3)
            assert ours.no_speech_probability == pytest.approx(expected.no_speech_prob, abs=1e-3)
            assert ours.complete


def test_the_language_is_found_among_those_named(base: Checkpoint, speech: Samples) -> None:
    with Engine(base) as engine:
        named = heard(engine, speech, DecodingOptions("en"))
        found = heard(engine, speech, DecodingOptions(languages=("de", "en", "ja")))
        assert found.language == "en"
        assert found.best.tokens == named.best.tokens
        assert found.no_speech_probability == pytest.approx(named.no_speech_probability, abs=1e-3)
        assert heard(engine, speech, DecodingOptions(languages=("de",))).language == "de"
        with pytest.raises(RecognitionFailed, match="xx"):
            heard(engine, speech, DecodingOptions("xx"))


def test_alternatives_leave_the_best_reading_alone(base: Checkpoint, clips: list[Samples]) -> None:
    noise = np.random.default_rng(0).normal(0, 0.02, 16_000 * 30).astype(np.float32)
    given = 0
    with Engine(base) as engine:
        for clip in clips[:4]:
            noisy = clip + noise[: len(clip)]
            alone = heard(engine, noisy, DecodingOptions("en"))
            beside = heard(engine, noisy, DecodingOptions("en", alternatives=3))
            assert beside.best.tokens == alone.best.tokens
            assert beside.best.avg_logprob == pytest.approx(alone.best.avg_logprob, abs=1e-4)
            assert len(beside.alternatives) <= 3
            assert all(other.tokens != alone.best.tokens for other in beside.alternatives)
            confidences = [other.confidence for other in beside.alternatives]
            assert confidences == sorted(confidences, reverse=True)
            given += len(beside.alternatives)
    assert given > 0


def decoded(steps: ScriptedSteps, options: DecodingOptions | None = None, rules: Rules | None = None) -> DecodedWindow:
    """Read a window to its end, and see that it gives all its places back."""
    decoding = WindowDecoding(steps, None, rules or scripted_rules(), options or DecodingOptions())
    while not decoding.finished:
        decoding.take(steps.step(decoding.rows()))
    window = decoding.result()
    decoding.close()
    assert steps.held == []
    return window


def texts(window: DecodedWindow) -> list[str]:
    return [other.text for other in window.alternatives]


def test_the_likeliest_token_is_taken_until_the_end() -> None:
    window = decoded(ScriptedSteps({(): {A: 0.9, B: 0.1}, (A,): {C: 0.6, B: 0.4}, (A, C): {EOT: 0.8, A: 0.2}}))
    assert window.best.text == "ac"
    assert window.best.tokens == (A, C)
    assert window.best.confidence == pytest.approx((0.9 * 0.6 * 0.8) ** (1 / 3), rel=1e-3)
    assert window.complete


def test_suppressed_tokens_are_never_taken() -> None:
    steps = ScriptedSteps({(): {A: 0.9, B: 0.1}, (B,): {A: 0.9, C: 0.1}})
    window = decoded(steps, rules=scripted_rules(suppress=(A,)))
    assert window.best.text == "bc"
    assert window.best.confidence == pytest.approx(1, abs=1e-3)  # of what was allowed


def test_tokens_suppressed_at_the_start_may_come_later() -> None:
    steps = ScriptedSteps({(): {EOT: 0.5, A: 0.3, B: 0.2}, (B,): {A: 0.9, C: 0.1}})
    assert decoded(steps, rules=scripted_rules(suppress_at_start=(EOT, A))).best.text == "ba"


def test_a_window_may_end_before_it_begins() -> None:
    window = decoded(ScriptedSteps({(): {EOT: 0.9, A: 0.1}}))
    assert (window.best.text, window.best.tokens, window.complete) == ("", (), True)
    assert window.best.confidence == pytest.approx(0.9, rel=1e-3)


def test_how_likely_the_end_was_is_told_where_it_is_asked() -> None:
    """D is the full stop: text that goes on after one has not ended there, and the end after one is no news."""
    script = {
        (): {A: 1.0},
        (A,): {D: 0.3, EOT: 0.2, B: 0.25, C: 0.25},
        (A, D): {B: 0.9, EOT: 0.1},
        (A, D, B): {D: 0.5, EOT: 0.3, C: 0.2},
        (A, D, B, D): {EOT: 0.99, C: 0.01},
    }
    asked = decoded(ScriptedSteps(script), DecodingOptions(ending=True))
    assert asked.best.tokens == (A, D, B, D)
    assert asked.ending == pytest.approx(0.8, rel=1e-3)
    assert decoded(ScriptedSteps(script)).ending == 0


def test_an_end_without_a_full_stop_counts_as_well() -> None:
    script = {(): {A: 1.0}, (A,): {EOT: 0.6, D: 0.3, B: 0.1}}
    assert decoded(ScriptedSteps(script), DecodingOptions(ending=True)).ending == pytest.approx(0.9, rel=1e-3)


def test_a_model_doubts_more_that_a_query_ends_at_a_pause_within_it(tiny_en: Checkpoint, speech: Samples) -> None:
    """The pause is before the city: "Find me a good cup of coffee" may well go on."""
    to_the_pause = speech[: round(1.9 * 16_000)]
    with Engine(tiny_en) as engine:
        whole, broken = (heard(engine, samples, DecodingOptions(ending=True)) for samples in (speech, to_the_pause))
    assert whole.best.text.startswith(broken.best.text.rstrip("."))
    assert 1 - broken.ending > 4 * (1 - whole.ending)


def test_an_endless_reading_stops_at_half_the_context() -> None:
    window = decoded(ScriptedSteps({(A,) * n: {A: 1.0} for n in range(30)}))
    assert window.best.text == "a" * MAX_TOKENS
    assert not window.complete


def test_alternatives_branch_where_the_model_hesitates() -> None:
    script = {
        (): {A: 0.995, D: 0.005},
        (A,): {B: 0.57, C: 0.43},
        (A, B): {EOT: 0.9, D: 0.1},
        (A, C): {D: 1.0},
        (A, C, D): {EOT: 1.0},
    }
    window = decoded(ScriptedSteps(script), DecodingOptions(alternatives=2))
    assert window.best.text == "ab"
    assert texts(window) == ["acd", "abd"]
    assert window.alternatives[0].confidence == pytest.approx((0.995 * 0.43) ** (1 / 4), rel=1e-3)


HESITANT = {
    (): {A: 0.9, B: 0.1},
    (A,): {A: 0.7, C: 0.3},
    (A, A): {A: 0.8, D: 0.2},
    (A, A, A): {A: 0.6, B: 0.4},
}


@pytest.mark.parametrize(
    ("wanted", "followed"),
    [(0, set()), (1, {"aaab"}), (2, {"aaab", "ac"}), (3, {"aaab", "ac", "aad"}), (9, {"aaab", "ac", "aad", "b"})],
)
def test_the_greatest_hesitations_are_followed_and_no_more_than_wanted(wanted: int, followed: set[str]) -> None:
    """Also where a lesser one came first, and was being read already."""
    window = decoded(ScriptedSteps(HESITANT), DecodingOptions(alternatives=wanted))
    assert window.best.text == "aaaa"
    assert set(texts(window)) == followed
    assert len(window.alternatives) == len(followed)


def test_never_more_is_read_than_the_best_and_the_alternatives_wanted() -> None:
    script = {(A,) * n: {A: 0.55 - n / 100, B: 0.4 + n / 100} for n in range(MAX_TOKENS)}
    steps = ScriptedSteps(script)
    decoding = WindowDecoding(steps, None, scripted_rules(), DecodingOptions(alternatives=2))
    while not decoding.finished:
        rows = decoding.rows()
        assert len({id(row.past) for row in rows}) <= 3
        assert len(steps.held) <= 3
        decoding.take(steps.step(rows))
    assert len(decoding.result().alternatives) <= 2


def test_the_end_may_be_what_the_model_hesitates_about() -> None:
    script = {(): {A: 1.0}, (A,): {B: 0.6, EOT: 0.4}}
    window = decoded(ScriptedSteps(script), DecodingOptions(alternatives=2))
    assert window.best.text == "ab"
    assert texts(window) == ["a"]
    assert window.alternatives[0].confidence == pytest.approx(0.4 ** (1 / 2), rel=1e-3)


def test_a_reading_goes_on_after_the_best_has_ended() -> None:
    script = {(): {A: 0.6, B: 0.4}, (B,): {C: 1.0}, (B, C): {D: 1.0}, (B, C, D): {A: 1.0}}
    window = decoded(ScriptedSteps(script), DecodingOptions(alternatives=1))
    assert window.best.text == "a"
    assert texts(window) == ["bcda"]


def test_a_reading_that_finds_no_end_is_no_alternative() -> None:
    """It is given up a few tokens after the best has ended."""
    script = {(): {A: 0.6, B: 0.4}, **{(B,) * n: {B: 1.0} for n in range(1, 30)}}
    window = decoded(ScriptedSteps(script), DecodingOptions(alternatives=1))
    assert window.best.text == "a"
    assert window.complete
    assert window.alternatives == ()


def test_an_alternative_does_not_branch_again() -> None:
    script = {(): {A: 0.6, B: 0.4}, (B,): {C: 0.5, D: 0.5}}
    window = decoded(ScriptedSteps(script), DecodingOptions(alternatives=5))
    assert len(window.alternatives) == 1


def test_nothing_hesitant_has_no_alternatives() -> None:
    window = decoded(ScriptedSteps({(): {A: 0.999, B: 0.001}}), DecodingOptions(alternatives=5))
    assert window.alternatives == ()


FORCED = {(): {A: 0.9, B: 0.1}, (B,): {A: 0.8, C: 0.2}, (B, C): {D: 0.6, A: 0.4}, (B, C, D): {EOT: 0.7, D: 0.3}}


@pytest.mark.parametrize("options", [DecodingOptions("en"), DecodingOptions(languages=("de", "en"))])
def test_what_is_forced_is_taken_and_counts_as_likely_as_the_model_finds_it(options: DecodingOptions) -> None:
    """Also where the language is found first."""
    rules = scripted_rules(multilingual=True)
    window = decoded(ScriptedSteps(FORCED, {NO_SPEECH: 0.75, GERMAN: 0.25}), replace(options, forced=(B, C)), rules)
    assert window.best.tokens == (B, C, D)
    assert window.best.confidence == pytest.approx((0.1 * 0.2 * 0.6 * 0.7) ** (1 / 4), rel=1e-3)
    assert window.no_speech_probability == pytest.approx(0.75, rel=1e-3)
    assert window.complete


def test_alternatives_begin_with_what_is_forced() -> None:
    window = decoded(ScriptedSteps(FORCED), DecodingOptions(alternatives=3, forced=(B, C)))
    assert window.best.text == "bcd"
    assert set(texts(window)) == {"bca", "bcdd"}
    assert dict(zip(texts(window), window.alternatives, strict=True))["bca"].confidence == pytest.approx(
        (0.1 * 0.2 * 0.4) ** (1 / 4), rel=1e-3
    )


def test_what_is_forced_ends_with_a_whole_word() -> None:
    """What would go on with it is not taken, neither for the best nor for another; later it may be."""
    script = {(B,): {A: 0.7, C: 0.2, D: 0.1}, (B, C): {A: 0.9, EOT: 0.1}}
    window = decoded(
        ScriptedSteps(script), DecodingOptions(alternatives=1, forced=(B,)), scripted_rules(continuations=(A,))
    )
    assert window.best.text == "bca"
    assert texts(window) == ["bd"]


def test_a_text_may_be_over_with_what_is_forced() -> None:
    window = decoded(ScriptedSteps({(B,): {EOT: 0.9, A: 0.1}}), DecodingOptions(forced=(B,)))
    assert (window.best.text, window.complete) == ("b", True)


def test_no_more_is_forced_than_fits() -> None:
    window = decoded(ScriptedSteps({}), DecodingOptions(forced=(A,) * 2 * MAX_TOKENS))
    assert window.best.text == "a" * (MAX_TOKENS - 1)


@pytest.mark.parametrize("multilingual", [False, True])
def test_the_no_speech_probability_is_read_at_the_start_of_transcript(multilingual: bool) -> None:
    steps = ScriptedSteps({(): {A: 1.0}}, at_start={NO_SPEECH: 0.75, A: 0.25})
    window = decoded(steps, rules=scripted_rules(multilingual=multilingual, suppress=(NO_SPEECH,)))
    assert window.no_speech_probability == pytest.approx(0.75, rel=1e-3)


@pytest.mark.parametrize(("languages", "found"), [(("en", "de"), "de"), (("de", "en"), "de"), (("en",), "en")])
def test_the_language_is_the_likeliest_of_those_named(languages: tuple[str, ...], found: str) -> None:
    """Whatever else is likelier; and the text is read with its token in the prompt."""
    at_start = {A: 0.5, GERMAN: 0.3, ENGLISH: 0.2}
    script = {(): {B: 1.0}}
    rules = scripted_rules(multilingual=True)
    window = decoded(ScriptedSteps(script, at_start), DecodingOptions(languages=languages), rules)
    assert window.language == found
    assert window.best.text == "b"


def test_the_language_that_is_asked_for_is_not_looked_for() -> None:
    steps = ScriptedSteps({(): {B: 1.0}}, at_start={GERMAN: 0.9, ENGLISH: 0.1})
    options = DecodingOptions("en", languages=("de", "en"))
    decoding = WindowDecoding(steps, None, scripted_rules(multilingual=True), options)
    assert ENGLISH in [row.token for row in decoding.rows()]
    decoding.close()
    assert decoded(steps, options, scripted_rules(multilingual=True)).language == "en"


def test_an_english_model_reads_english_whatever_languages_are_named() -> None:
    steps = ScriptedSteps({(): {A: 1.0}}, at_start={GERMAN: 0.9, ENGLISH: 0.1})
    assert decoded(steps, DecodingOptions(languages=("en", "de"))).language == "en"


@pytest.mark.parametrize("steps_taken", range(6))
def test_a_reading_that_is_given_up_gives_its_places_back(steps_taken: int) -> None:
    steps = ScriptedSteps({(A,) * n: {A: 0.5, B: 0.3, C: 0.2} for n in range(30)})
    decoding = WindowDecoding(steps, None, scripted_rules(), DecodingOptions(alternatives=3))
    for _ in range(steps_taken):
        decoding.take(steps.step(decoding.rows()))
    assert steps.held
    decoding.close()
    assert steps.held == []
    decoding.close()  # does no harm
