"""Stable words come from agreement, and are never taken back."""

from hypothesis import given
from hypothesis import strategies as st

from asr.decoding.stable_prefix import AGREEING, Partial, StablePrefix, begins_with

words = st.sampled_from(["hotels", "Hotels", "in", "in,", "Reykjavík", "rake", "a", "the", "-", "…"])
hypotheses = st.lists(st.lists(words, max_size=12).map(" ".join), max_size=12)


def after(*texts: str) -> Partial:
    prefix = StablePrefix()
    return [prefix.update(text, sure(text)) for text in texts][-1]


def sure(text: str) -> list[float]:
    return [1.0] * len(text.split())


BEFORE = ("show me hotels in",) * AGREEING


def test_what_three_in_a_row_agree_on_is_stable_but_for_the_last_word() -> None:
    assert after("Show me hotels", "Show me hotels") == Partial("", "Show me hotels")
    assert after("Show me hotels", "Show me hotels in", "Show me hotels in rake.") == Partial(
        "Show me", "hotels in rake."
    )


def test_case_and_punctuation_are_no_disagreement() -> None:
    texts = ("Show me, hotels in", "show me hotels in Rome", "show me hotels. In Rome")
    assert after(*texts) == Partial("show me hotels.", "In Rome")


def test_what_the_model_is_not_sure_of_does_not_count() -> None:
    prefix = StablePrefix()
    second_word = (0.9, 0.9, 0.3, 0.9, 0.9, 0.9)
    stable = [prefix.update("show me hotels", [0.9, confidence, 0.9]).stable for confidence in second_word]
    assert stable == ["", "", "show", "show", "show", "show me"]


def test_one_hypothesis_that_errs_takes_nothing_back() -> None:
    assert after(*BEFORE, "so meet hotels in Rome").text.startswith("show me hotels")
    assert after(*BEFORE, "").text == "show me hotels"


def test_the_rest_goes_on_after_what_stands_for_the_stable_words() -> None:
    """A hypothesis with a word more or less would double a word or swallow one."""
    assert after(*BEFORE, "please show me hotels in Rome today") == Partial("show me hotels", "in Rome today")
    assert after(*BEFORE, "show hotels in Rome today") == Partial("show me hotels", "in Rome today")


def test_a_transcript_begins_with_words_but_for_their_case_and_punctuation() -> None:
    assert begins_with("Show me, hotels", "show me hotels.")
    assert begins_with("Show me", "")
    assert not begins_with("Show me", "show me hotels")
    assert not begins_with("Show me hotels", "show me hot")


@given(hypotheses)
def test_stable_words_are_never_taken_back(texts: list[str]) -> None:
    prefix = StablePrefix()
    before = ""
    for text in texts:
        partial = prefix.update(text, sure(text))
        assert partial.stable == before or partial.stable.startswith(f"{before} " if before else "")
        assert partial.text.startswith(partial.stable)
        before = partial.stable
        assert prefix.stable == before


@given(st.lists(words, min_size=2))
def test_a_hypothesis_that_stays_becomes_stable_but_for_its_last_word(said: list[str]) -> None:
    text = " ".join(said)
    assert after(*[text] * AGREEING) == Partial(" ".join(said[:-1]), said[-1])


@given(st.lists(words))
def test_nothing_is_stable_that_was_heard_less_often(said: list[str]) -> None:
    text = " ".join(said)
    assert after(*[text] * (AGREEING - 1)) == Partial("", text)
