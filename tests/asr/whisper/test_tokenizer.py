"""Text and tokens: what is encoded is what the model writes, whatever was lost on the way to its tokenizer.json."""

import json

import pytest

from asr.whisper.checkpoints import load_checkpoint
from asr.whisper.tokenizer import Tokenizer


@pytest.fixture(scope="module", params=["base", "tiny.en"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return load_checkpoint(request.param).tokenizer


def test_every_text_token_can_be_encoded(tokenizer: Tokenizer) -> None:
    model = json.loads(tokenizer.bpe.to_str())["model"]
    made = {"".join(pair) for pair in model["merges"]}
    of_bytes = {token for token, place in model["vocab"].items() if place < 256}
    texts = {token for token, place in model["vocab"].items() if token and place < tokenizer.eot}
    assert texts == made | of_bytes


def test_a_common_word_is_one_token(tokenizer: Tokenizer) -> None:
    words = ["things", "to", "do", "in", "the", "town", "this", "time"]
    assert [tokenizer.decode([token]) for token in tokenizer.encode(" ".join(words))] == words


def test_rare_words_are_told_from_common_ones(tokenizer: Tokenizer) -> None:
    common = tokenizer.rarities(["Things", "to", "do", "in", "THE", "town,"])
    rare = tokenizer.rarities(["Kalamazoo?", "Reykjavík", "cappuccino"])
    assert max(common) < 4 < 6 < min(rare)
    assert tokenizer.rarities(["things", "To", "do", "in", "the", "(town)"]) == common
    assert max(tokenizer.rarities(["90210", "$50", "10:30"])) < 4
    assert tokenizer.rarities([]) == ()
    assert tokenizer.rarities(["—"]) < (3,)


def test_a_word_is_as_rare_as_it_is_written(tokenizer: Tokenizer) -> None:
    """Only a capital in front was known: "McDonald", one token, was told as rarer than "Kalamazoo"."""
    assert max(tokenizer.rarities(["McDonald", "iPhone", "USA", "TV"])) < 5
