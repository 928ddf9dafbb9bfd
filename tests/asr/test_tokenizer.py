"""Text and tokens: what is encoded is what the model writes, whatever was lost on the way to its tokenizer.json."""

import json

import pytest

from asr.checkpoints import load_checkpoint
from asr.tokenizer import Tokenizer, rarity


@pytest.fixture(scope="module", params=["base", "tiny.en"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return load_checkpoint(request.param).tokenizer


def test_every_text_token_can_be_encoded(tokenizer: Tokenizer) -> None:
    model = json.loads(tokenizer.bpe.to_str())["model"]
    made = {"".join(pair) for pair in model["merges"]}
    of_bytes = {token for token, place in model["vocab"].items() if place < 256}
    texts = {token for token, place in model["vocab"].items() if token and place < tokenizer.eot}
    assert texts == made | of_bytes


def test_a_common_word_is_one_token_and_not_rare(tokenizer: Tokenizer) -> None:
    words = ["things", "to", "do", "in", "the", "town", "this", "time"]
    tokens = tokenizer.encode(" ".join(words))
    assert [tokenizer.decode([token]) for token in tokens] == words
    assert max(map(rarity, tokens)) < 4 < sum(map(rarity, tokenizer.encode("Kalamazoo")))
