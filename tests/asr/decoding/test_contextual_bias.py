"""Phrases that are expected: the trie has them all and no others, and a text earns by whole ones only."""

from itertools import accumulate

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asr.decoding.contextual_bias import MOST_BOOST, BiasState, PhraseTrie
from asr.whisper.checkpoints import Checkpoint
from asr.whisper.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def tokenizer(tiny_en: Checkpoint) -> Tokenizer:
    return tiny_en.tokenizer


def earned_by(trie: PhraseTrie, tokenizer: Tokenizer, text: str) -> list[BiasState]:
    """What a text has earned after each of its tokens and at its end."""
    following = [*tokenizer.encode(text), tokenizer.eot]
    return list(
        accumulate(
            following,
            lambda earned, token: earned.after(token, continues_word=token in tokenizer.spelling),
            initial=BiasState(trie),
        )
    )[1:]


def boost_of(trie: PhraseTrie, tokenizer: Tokenizer, text: str) -> float:
    return earned_by(trie, tokenizer, text)[-1].boost


def ends_at(trie: PhraseTrie, tokens: tuple[int, ...]) -> bool:
    node: int | None = 0
    for token in tokens:
        node = trie.child(node, token) if node is not None else None
    return node is not None and bool(trie.ends[node])


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(phrases=st.lists(st.text("ab r\u00e9", min_size=1, max_size=6).filter(str.strip), max_size=12))
def test_the_trie_holds_the_phrases_and_no_others(tokenizer: Tokenizer, phrases: list[str]) -> None:
    phrases = [phrase.lower() for phrase in phrases]
    trie = PhraseTrie.of(tokenizer, dict.fromkeys(phrases, 1.0))
    for phrase in phrases:
        assert ends_at(trie, tokenizer.encode(phrase))
    written = {tokenizer.encode(form) for form in _as_may_be_written(phrases)}
    assert {path for node, path in _paths(trie).items() if trie.ends[node]} == written


def _paths(trie: PhraseTrie) -> dict[int, tuple[int, ...]]:
    paths: dict[int, tuple[int, ...]] = {0: ()}
    for node in range(len(trie.tokens)):
        for child in range(trie.first[node], trie.first[node + 1]):
            paths[child] = (*paths[node], int(trie.tokens[child]))
    assert len(paths) == len(trie.tokens)
    return paths


def _as_may_be_written(phrases: list[str]) -> set[str]:
    plain = {phrase.replace("\u00e9", "e") for phrase in phrases} | set(phrases)
    return plain | {phrase[:1].upper() + phrase[1:] for phrase in plain}


@pytest.mark.parametrize("text", ["Reykjavík", "hotels in Reykjavik.", "reykjavik, please", "is Reykjavík's weather"])
def test_a_phrase_earns_at_any_word_however_it_is_written(tokenizer: Tokenizer, text: str) -> None:
    trie = PhraseTrie.of(tokenizer, {"Reykjavík": 2.0})
    assert boost_of(trie, tokenizer, text) >= 4


@pytest.mark.parametrize("text", ["hotels in Reykjavi", "Rey", "Greykjavik", "a Reykjaviking", ""])
def test_what_a_part_of_a_phrase_has_earned_is_given_back(tokenizer: Tokenizer, text: str) -> None:
    earned = earned_by(PhraseTrie.of(tokenizer, {"Reykjavik": 2.0}), tokenizer, text)
    assert earned[-1].boost == earned[-1].hoped_for == 0


def test_a_phrase_that_has_begun_is_hoped_for(tokenizer: Tokenizer) -> None:
    trie = PhraseTrie.of(tokenizer, {"Reykjavik": 2.0})
    hopes = [earned.hoped_for for earned in earned_by(trie, tokenizer, "to Reykjavik")]
    assert hopes[0] == 0
    assert hopes[1:-1] == [2.0 * count for count in range(1, len(hopes) - 1)]


def test_a_longer_phrase_earns_instead_of_the_shorter_that_it_begins_with(tokenizer: Tokenizer) -> None:
    trie = PhraseTrie.of(tokenizer, {"New York": 2.0, "New York City": 2.0, "York": 2.0})
    assert boost_of(trie, tokenizer, "flights to New York") == 4
    assert boost_of(trie, tokenizer, "flights to New York City") == 6


def test_a_phrase_that_is_said_again_earns_nothing(tokenizer: Tokenizer) -> None:
    """ "Restaurants in Gaborone Gaborone Gaborone" was the best text where it was expected strongly."""
    trie = PhraseTrie.of(tokenizer, {"York": 2.0})
    assert boost_of(trie, tokenizer, "York, York, York") == boost_of(trie, tokenizer, "York") == 2


def test_no_phrase_earns_more_than_the_bound(tokenizer: Tokenizer) -> None:
    phrase = "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch"
    trie = PhraseTrie.of(tokenizer, {phrase: 10.0})
    assert trie.boosts.max() == MOST_BOOST
    assert boost_of(trie, tokenizer, phrase) == MOST_BOOST


@pytest.mark.parametrize("phrase", ["<|endoftext|>", "<|en|> Oslo", "<|0.00|>", "\u0301", " "])
def test_no_phrase_leads_to_a_special_token_or_a_mere_space(tokenizer: Tokenizer, phrase: str) -> None:
    trie = PhraseTrie.of(tokenizer, {phrase: 2.0})
    assert all(token < tokenizer.eot for token in trie.tokens)
    assert not ends_at(trie, tokenizer.encode(" "))


def test_nothing_expected_earns_nothing(tokenizer: Tokenizer) -> None:
    trie = PhraseTrie.of(tokenizer, {})
    assert boost_of(trie, tokenizer, "hotels in Reykjavik") == 0
    assert not len(BiasState(trie).favoured.tokens)
