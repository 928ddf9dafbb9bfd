"""A step of the text decoder: rows of many sequences in, for each the likeliest next tokens out.

What a step is, whoever computes it: `asr.runtime.torch_stepper` on any device, `asr.runtime.cuda_stepper` fastest on a
GPU and `asr.runtime.native.stepper` on a CPU. A row's answer never depends on the rows beside it, beyond the rounding
of the arithmetic that `precision` names.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from asr.whisper.checkpoints import Checkpoint
from asr.whisper.encoding import EncodedWindow

FORBIDDEN = -1e30  # added to a logit, leaves no probability
FAVOURITES = 4


@dataclass(frozen=True, eq=False)
class AudioContext:
    """Encoded audio as the decoder looks at it, `length` frames: keys and values of every layer and head.

    `bias` (length,) is added to the attention's scores. How keys and values are laid out is the stepper's own.
    """

    keys: Tensor
    values: Tensor
    bias: Tensor

    @property
    def length(self) -> int:
        return len(self.bias)


@dataclass(frozen=True, eq=False)
class CacheEntry:
    """A sequence's place in the cache of keys and values, and its audio; only a stepper looks inside."""

    place: Any
    audio: AudioContext


@dataclass(frozen=True, eq=False)
class BiasedTokens:
    """Tokens (n,) that one would rather see next, and by how much: `boosts` (n,), in nats."""

    tokens: NDArray[np.int32]
    boosts: NDArray[np.float32]

    @cached_property
    def most(self) -> float:
        """The highest boost."""
        return float(self.boosts.max(initial=0))


@dataclass(frozen=True)
class Row:
    """One token to be read at its position in its sequence.

    `mask` (n_vocab,) is added to the logits before the likeliest are chosen; None where nothing is to be chosen.
    `expected` is a token whose log-probability is wanted, too; `wants_logits` asks for the unmasked logits as well.
    `favoured` has the best of some tokens told beside what is chosen, which they have no influence on. `beside` are
    other sequences about the same audio that begin alike: they, too, have read what is read here.
    """

    past: CacheEntry
    token: int
    position: int
    mask: Tensor | None = None
    wants_logits: bool = False
    expected: int | None = None
    favoured: BiasedTokens | None = None
    beside: Sequence[CacheEntry] = ()


@dataclass(frozen=True)
class Choice:
    """The two likeliest tokens that may follow a row, with their log-probabilities; `logits` (n_vocab,) if wanted.

    `expected_logprob` is that of the row's expected token, and has no meaning where there is none. `favourites` are at
    most `FAVOURITES` of the favoured tokens, with their log-probabilities: those for which this and the boost are most.
    """

    token: int
    logprob: float
    runner_up: int
    runner_up_logprob: float
    logits: Tensor | None = None
    expected_logprob: float = 0.0
    favourites: Sequence[tuple[int, float]] = ()


class Stepper(Protocol):
    """Owns the decoder's weights and caches. Not thread-safe: one thread steps."""

    @property
    def precision(self) -> str:
        """The arithmetic, for people: such as `int8` or `bfloat16`."""

    def hear(self, window: EncodedWindow) -> AudioContext:
        """Make ready what the decoder looks at: keys and values of the encoded audio, to `begin` sequences with."""

    def begin(self, audio: AudioContext) -> CacheEntry:
        """A place in the cache for a new sequence about this audio."""

    def fork(self, past: CacheEntry, length: int) -> CacheEntry:
        """A new place that holds the first `length` positions of another sequence."""

    def release(self, past: CacheEntry) -> None:
        """Give a sequence's place back."""

    def step(self, rows: Sequence[Row]) -> list[Choice]:
        """Read the rows, several of one sequence in the order of their positions; one choice each.

        The choice of a row without a mask has no meaning but for its logits.
        """


@dataclass(frozen=True)
class Suppression:
    """What may not be written, as masks (n_vocab,) for a stepper's rows: for the first token, and for those after.

    `after_word` is for what follows a word that is whole: the text ends, or another word begins. `nothing` is for
    texts that are not chosen here.
    """

    at_start: Tensor
    later: Tensor
    after_word: Tensor
    nothing: Tensor

    @classmethod
    def of(cls, checkpoint: Checkpoint, device: torch.device | str = "cpu") -> "Suppression":
        later = torch.zeros(checkpoint.model.dims.n_vocab)
        later[list(checkpoint.suppress)] = FORBIDDEN
        at_start = later.clone()
        at_start[list(checkpoint.suppress_at_start)] = FORBIDDEN
        after_word = later.clone()
        after_word[list(checkpoint.tokenizer.continuations)] = FORBIDDEN
        nothing = torch.zeros_like(later)
        return cls(at_start.to(device), later.to(device), after_word.to(device), nothing.to(device))
