"""Expected phrases nudge the text: as far as they were bound to, and only where one of them may have been said."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from asr.audio.decode import SAMPLE_RATE, Audio, Samples, decode_audio
from asr.decoding.contextual_bias import PhraseTrie
from asr.decoding.hypothesis import DecodedWindow, DecodingOptions
from asr.decoding.window import WindowDecoding
from asr.engine.engine import Engine
from asr.transcriber import Transcriber
from asr.whisper.checkpoints import Checkpoint
from tests.asr.decoding.test_window import decoded
from tests.asr.noises import noises
from tests.asr.scripted import EOT, NO_SPEECH, A, B, C, D, ScriptedSteps, scripted_rules

WAIT = 60.0  # seconds after which a test has failed
GABORONE = Path(__file__).parents[2] / "recordings" / "restaurants-in-gaborone.flac"

TEXTS: Any = SimpleNamespace(
    encode_all=lambda texts: [["abcd".index(letter) for letter in text.lower()] for text in texts]
)


def expecting(boost: float, *phrases: str, **options: Any) -> DecodingOptions:
    return DecodingOptions(bias=PhraseTrie.of(TEXTS, dict.fromkeys(phrases, boost)), **options)


# "ac" is heard where "ab" may have been said: 1.4 nats less likely, and then sure to be followed by d.
SCRIPT = {(): {A: 1.0}, (A,): {C: 0.8, B: 0.2}, (A, B): {D: 1.0}, (A, C): {EOT: 1.0}}


def spoken() -> ScriptedSteps:
    return ScriptedSteps(SCRIPT, at_start={NO_SPEECH: 0.1, A: 0.9})


def test_a_phrase_is_written_where_its_boost_is_worth_what_it_costs() -> None:
    assert decoded(spoken()).best.text == "ac"
    assert decoded(spoken(), expecting(0.6, "ab")).best.text == "ac"
    assert decoded(spoken(), expecting(0.8, "ab")).best.text == "abd"


def test_confidence_is_the_models_own() -> None:
    window = decoded(spoken(), expecting(3.0, "ab"))
    assert window.best.confidence == pytest.approx(0.2 ** (1 / 4), rel=1e-3)
    assert min(window.best.word_confidences) == pytest.approx(0.2, rel=1e-3)


def test_a_phrase_that_breaks_off_leaves_no_trace() -> None:
    """After a and b only d can follow, so "abc" is never said."""
    plain = decoded(spoken())
    biased = decoded(spoken(), expecting(5.0, "abc"))
    assert biased.best == plain.best


def test_a_phrase_that_is_spelt_on_is_another_word() -> None:
    rules = scripted_rules(continuations=(D,))
    assert decoded(spoken(), expecting(3.0, "ab"), rules).best.text == "ac"


def test_a_phrase_that_was_heard_anyway_earns_as_well() -> None:
    """Or another would take its place that is less likely."""
    assert decoded(spoken(), expecting(1.0, "ab", "ac")).best.text == "ac"


def test_what_the_text_has_earned_is_no_reason_to_depart_from_it() -> None:
    """After a name that was heard every other was followed, as long as that name was worth what they cost."""
    script = {(): {A: 1.0}, (A,): {C: 0.9, B: 0.02}, (A, C): {EOT: 1.0}}
    steps = ScriptedSteps(script, at_start={NO_SPEECH: 0.1, A: 0.9})
    decoding = WindowDecoding(steps, None, scripted_rules(), expecting(3.0, "a", "b", biased_readings=1))
    while not decoding.finished:
        decoding.take(steps.step(decoding.rows()))
        assert len(steps.held) <= 1
    assert decoding.result().biased == ()


def test_a_token_with_which_several_phrases_go_on_is_followed_once() -> None:
    """ "a b" goes on with b, and "b" begins with it."""
    window = decoded(spoken(), expecting(3.0, "ab", "b", biased_readings=2))
    assert [reading.text for reading in window.biased] == ["abd"]


def test_where_nobody_may_have_spoken_nothing_is_expected() -> None:
    steps = ScriptedSteps(SCRIPT, at_start={NO_SPEECH: 0.6, A: 0.4})
    assert decoded(steps, expecting(5.0, "ab")).best.text == "ac"


def test_readings_beside_leave_the_transcript_and_its_alternatives_alone() -> None:
    plain = decoded(spoken(), DecodingOptions(alternatives=2))
    beside = decoded(spoken(), expecting(3.0, "ab", alternatives=2, biased_readings=1))
    assert replace(beside, biased=()) == plain
    assert [reading.text for reading in beside.biased] == ["abd"]


def test_a_text_that_begins_as_forced_is_nudged_within_it_and_after() -> None:
    """Readings beside it may depart from what was forced; the transcript may not."""
    assert decoded(spoken(), expecting(3.0, "ab", forced=(A, C))).best.text == "ac"
    assert decoded(spoken(), expecting(3.0, "ab", forced=(A,))).best.text == "abd"
    beside = decoded(spoken(), expecting(3.0, "ab", forced=(A, C), biased_readings=1))
    assert beside.best.text == "ac"
    assert [reading.text for reading in beside.biased] == ["abd"]


@pytest.mark.parametrize("steps_taken", range(4))
def test_a_reading_that_is_given_up_gives_its_places_back(steps_taken: int) -> None:
    steps = spoken()
    decoding = WindowDecoding(steps, None, scripted_rules(), expecting(3.0, "ab", "ad", alternatives=2))
    for _ in range(steps_taken):
        decoding.take(steps.step(decoding.rows()))
    decoding.close()
    assert steps.held == []


def heard(engine: Engine, samples: Samples, *phrases: str) -> DecodedWindow:
    bias = PhraseTrie.of(engine.checkpoint.tokenizer, dict.fromkeys(phrases, 2.0)) if phrases else None
    return engine.submit([samples], DecodingOptions("en", bias=bias)).result(WAIT).windows[0]


def test_a_keyword_corrects_a_name_that_was_misheard(tiny_en: Checkpoint) -> None:
    samples = decode_audio(GABORONE.read_bytes()).samples
    with Engine(tiny_en) as engine:
        assert "Gaborone" not in heard(engine, samples).best.text
        assert heard(engine, samples, "Gaborone", "Reykjavik").best.text == "Restaurants in Gaborone."


def test_what_was_not_said_changes_nothing(tiny_en: Checkpoint, clips: list[Samples]) -> None:
    phrases = ("Ouagadougou", "Dysprosium", "Mercedes Benz", "zebra")
    with Engine(tiny_en) as engine:
        for clip in clips:
            assert heard(engine, clip, *phrases).best == heard(engine, clip).best


def test_in_noise_keywords_are_not_heard(tiny_en: Checkpoint) -> None:
    """It is mostly known to be no speech; what else is read in it has no keywords either."""
    bias = PhraseTrie.of(tiny_en.tokenizer, dict.fromkeys(("Reykjavik", "Toronto", "music", "thank you"), 3.0))
    with Engine(tiny_en) as engine:
        transcriber = Transcriber(engine)
        options = transcriber.options("en")
        for name, samples in (("silence", np.zeros(2 * SAMPLE_RATE, np.float32)), *noises(2.0)):
            prepared = replace(transcriber.prepare_audio(Audio(samples, 0.0)), windows=(samples,))  # past the gate
            plain, biased = (
                transcriber.assemble(prepared, asked, engine.submit([samples], asked).result(WAIT))
                for asked in (options, replace(options, bias=bias))
            )
            assert biased.text == plain.text, name
