"""A stepper whose logits are known, and a model around it that has twelve tokens."""

import math
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from asr.decoding.rules import Rules
from asr.decoding.stepper import FAVOURITES, BiasedTokens, CacheEntry, Choice, Row
from asr.whisper.checkpoints import Checkpoint
from asr.whisper.encoding import EncodedWindow

A, B, C, D = range(4)
EOT, SOT, PROMPT_END, ENGLISH, GERMAN, NO_SPEECH = range(6, 12)
VOCABULARY = 12
LANGUAGES = {"en": ENGLISH, "de": GERMAN}
MAX_TOKENS = 10

Probabilities = Mapping[int, float]
Script = Mapping[tuple[int, ...], Probabilities]


class ScriptedSteps:
    """`script` maps what was said since the prompt to what may follow; the text ends where it says nothing.

    `at_start` is what follows the start of transcript. `held` are the places that were not given back.
    """

    precision = "scripted"

    def __init__(self, script: Script, at_start: Probabilities | None = None) -> None:
        self.script = script
        self.at_start = at_start or {NO_SPEECH: 0.01}
        self.held: list[CacheEntry] = []

    def hear(self, window: EncodedWindow) -> Any:
        return None

    def begin(self, audio: Any) -> CacheEntry:
        """A place is the list of tokens read into it."""
        self.held.append(CacheEntry([], audio))
        return self.held[-1]

    def fork(self, past: CacheEntry, length: int) -> CacheEntry:
        assert past in self.held
        copy = self.begin(past.audio)
        copy.place.extend(past.place[:length])
        assert len(copy.place) == length
        return copy

    def release(self, past: CacheEntry) -> None:
        self.held.remove(past)

    def step(self, rows: Sequence[Row]) -> list[Choice]:
        return [self._choice(row) for row in rows]

    def following(self, said: tuple[int, ...], audio: Any) -> Probabilities:
        return self.script.get(said, {EOT: 1.0})

    def _choice(self, row: Row) -> Choice:
        for past in (row.past, *row.beside):
            assert past in self.held
            assert len(past.place) == row.position, "a position was left out or read twice"
            past.place.append(row.token)
        logits = self._logits(row.past)
        masked = logits if row.mask is None else logits + row.mask
        logprobs = masked.log_softmax(dim=-1)
        (first, second), tokens = logprobs.topk(2)
        expected = 0.0 if row.expected is None else float(logprobs[row.expected])
        wanted = logits if row.wants_logits else None
        favourites = _favourites(row.favoured, logprobs) if row.favoured else ()
        return Choice(int(tokens[0]), float(first), int(tokens[1]), float(second), wanted, expected, favourites)

    def _logits(self, past: CacheEntry) -> Tensor:
        read = past.place
        said = tuple(read[read.index(PROMPT_END) + 1 :]) if PROMPT_END in read else None
        logits = torch.full((VOCABULARY,), -30.0)
        for token, probability in (self.at_start if said is None else self.following(said, past.audio)).items():
            logits[token] = math.log(probability)
        return logits


def _favourites(favoured: BiasedTokens, logprobs: Tensor) -> list[tuple[int, float]]:
    boosted = zip(favoured.tokens, favoured.boosts, strict=True)
    scored = [(float(logprobs[token]) + boost, token) for token, boost in boosted]
    return [(int(token), float(logprobs[token])) for _, token in sorted(scored, reverse=True)[:FAVOURITES]]


def scripted_checkpoint(
    *,
    suppress: Sequence[int] = (),
    suppress_at_start: Sequence[int] = (),
    continuations: Sequence[int] = (),
    multilingual: bool = False,
) -> Checkpoint:
    """What the engine and the rules read of a checkpoint; its texts end after MAX_TOKENS tokens."""
    tokenizer = SimpleNamespace(
        sot=SOT,
        eot=EOT,
        ends=(EOT, D),
        no_speech=NO_SPEECH,
        is_multilingual=multilingual,
        continuations=frozenset(continuations),
        spelling=frozenset(continuations),
        language_token=LANGUAGES.__getitem__,
        prompt=lambda language: [SOT, LANGUAGES[language], PROMPT_END] if multilingual else [SOT, PROMPT_END],
        encode=lambda text: tuple(map("abcdef".index, text)),
        decode=lambda tokens: "".join("abcdef"[token] for token in tokens),
    )
    dims = SimpleNamespace(n_mels=80, n_text_ctx=2 * MAX_TOKENS, n_vocab=VOCABULARY)
    model = SimpleNamespace(dims=dims)
    return SimpleNamespace(
        model=model, tokenizer=tokenizer, suppress=tuple(suppress), suppress_at_start=tuple(suppress_at_start)
    )


def scripted_rules(**rules: Any) -> Rules:
    return Rules.of(scripted_checkpoint(**rules))
