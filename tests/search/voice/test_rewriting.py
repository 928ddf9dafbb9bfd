"""A name is believed when enough speaks for it; else nothing but the text counts."""

from dataclasses import replace

import pytest

from asr.transcript import Likelihood
from search.voice.candidates import Candidate, Placement
from search.voice.hypothesis import RecognisedText
from search.voice.rewriting import rewrites, worth_rescoring

HEARD = "Restaurants in Gaburong."
PLAIN = Likelihood(-12.0, 8)


def heard(least_confidence: float, rarities: tuple[float, ...] = (7.7, 2.5, 9.4)) -> RecognisedText:
    return RecognisedText(HEARD, least_confidence, rarities)


def candidate(name: str, sentence: str, score: float, prior: float = 0.0) -> Candidate:
    return Candidate(("1",), name, 0.9, score, prior, (Placement(HEARD, 15, 23, sentence, 0.9),))


GABORONE = candidate("Gaborone", "Restaurants in Gaborone.", 5.0)
GABON = candidate("Gabon", "Restaurants in Gabon.", 4.0)
LIKELIHOODS = {
    HEARD: PLAIN,
    "Restaurants in Gaborone.": Likelihood(-14.0, 8),
    "Restaurants in Gabon.": Likelihood(-15.0, 7),
}


def test_the_name_that_sounds_and_fits_best_comes_first_and_what_was_heard_stays() -> None:
    first, second, last = rewrites(heard(0.1), [GABON, GABORONE], 5000, LIKELIHOODS)
    assert (first.text, first.match, first.document_ids) == ("Restaurants in Gaborone.", "acoustic", {"1"})
    assert second.text == "Restaurants in Gabon."
    assert 1 > first.probability > second.probability > last.probability > 0
    assert (last.text, last.match) == (HEARD, "text")


def test_the_acoustic_model_decides_between_names_that_sound_alike() -> None:
    unlikely = LIKELIHOODS | {"Restaurants in Gaborone.": Likelihood(-40.0, 8)}
    assert rewrites(heard(0.1), [GABORONE, GABON], 5000, unlikely)[0].text == "Restaurants in Gabon."


@pytest.mark.parametrize(
    ("said", "plain", "candidates"),
    [
        (heard(0.1), PLAIN, []),
        (heard(0.5), PLAIN, [candidate("Gabon", "Restaurants in Gabon.", 0.5)]),  # hardly sounds like it
        (heard(0.7), PLAIN, [candidate("Gabon", "Restaurants in Gabon.", 4.0, prior=-6.0)]),  # one of very many aliases
        (heard(0.99), Likelihood(-0.4, 8), [GABON]),  # the text is certain
        (heard(0.7, rarities=(7.7, 2.5, 2.0)), PLAIN, [GABON]),  # it is an ordinary word
        # The longer the text, the more of it may sound like a name.
        (RecognisedText(f"{HEARD} And then {'a word more ' * 8}", 0.1), Likelihood(-60.0, 40), [GABON]),
    ],
)
def test_where_too_little_speaks_for_a_name_only_the_text_counts(
    said: RecognisedText, plain: Likelihood, candidates: list[Candidate]
) -> None:
    (only,) = rewrites(said, candidates, 5000, LIKELIHOODS | {said.text: plain})
    assert (only.text, only.probability, only.match) == (said.text, 1.0, "text")


def test_without_the_acoustic_models_word_the_sound_speaks_alone() -> None:
    first, second, last = rewrites(heard(0.1), [GABON, GABORONE], 5000, {})
    assert [(meaning.text, meaning.match) for meaning in (first, second)] == [
        ("Restaurants in Gaborone.", "sound"),
        ("Restaurants in Gabon.", "sound"),
    ]
    assert last.text == HEARD


def test_a_name_that_was_heard_as_it_is_written_is_what_the_text_says() -> None:
    accented = candidate("Gáburong", "Restaurants in Gáburong.", 6.0)
    likelihoods = LIKELIHOODS | {"Restaurants in Gáburong.": Likelihood(-14.0, 8)}
    first, *_ = rewrites(heard(0.1), [accented, GABON], 5000, likelihoods)
    assert (first.text, first.probability, first.match) == (HEARD, 1.0, "text")


def test_of_many_names_one_is_believed_only_where_more_speaks_for_it() -> None:
    best = [rewrites(heard(0.3), [GABON], documents, LIKELIHOODS)[0] for documents in (8, 1000, 5000, 1_000_000)]
    assert [meaning.match for meaning in best] == ["acoustic", "acoustic", "acoustic", "text"]
    assert best[0].probability == best[1].probability > best[2].probability


def test_a_name_that_was_heard_because_it_was_expected_counts_for_less() -> None:
    nudged = "Restaurants in Gabon."
    expected = Candidate(("1",), "Gabon", 1.0, 5.5, 0.0, (Placement(nudged, 15, 20, nudged, 1.0),))
    assert rewrites(heard(0.1), [expected, GABORONE], 5000, {})[0].text == nudged
    was_nudged = replace(heard(0.1), nudged=frozenset([nudged]))
    assert rewrites(was_nudged, [expected, GABORONE], 5000, {})[0].text == "Restaurants in Gaborone."


def test_the_acoustic_model_is_asked_only_where_its_word_may_matter() -> None:
    heard_so = candidate("Gáburong", "Restaurants in Gáburong.", 6.0)
    assert worth_rescoring(heard(0.1), [GABORONE, heard_so], 5000) == [GABORONE, heard_so]
    assert not worth_rescoring(heard(0.1), [heard_so, GABORONE], 5000)  # the text says it
    weak = candidate("Gabon", "Restaurants in Gabon.", 1.0)
    assert not worth_rescoring(heard(0.99), [weak], 5000)
    assert worth_rescoring(heard(0.1), [GABORONE, candidate("Gabon", "Restaurants in Gabon.", -9.0)], 5000) == [
        GABORONE
    ]
    assert not worth_rescoring(heard(0.1), [], 5000)
