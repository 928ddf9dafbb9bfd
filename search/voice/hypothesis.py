"""What was heard, as search needs it: the text, how sure the recogniser is of it, and how rare its words are."""

import math
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from typing import Self

from asr.transcript import Transcript
from search.text.tokens import tokens


@dataclass(frozen=True)
class RecognisedText:
    """A text and what the recogniser says of its words; of a text that was typed it says nothing.

    `least_confidence` is that of the word of which it is least sure, from 0 to 1. `rarities` are those of the words, as
    a transcript has them. `nudged` are other readings of the audio that it was nudged to make of expected names.
    """

    text: str
    least_confidence: float = 1.0
    rarities: tuple[float, ...] = ()
    nudged: frozenset[str] = frozenset()

    @classmethod
    def of(cls, transcript: Transcript) -> Self:
        least = min(transcript.word_confidences, default=1.0)
        nudged = frozenset(other.text for other in transcript.biased)
        return cls(transcript.text, least, transcript.word_rarities, nudged)

    @cached_property
    def words(self) -> list[str]:
        return self.text.split()

    @property
    def doubt(self) -> float:
        """The logarithm of the odds that the least sure word was not said."""
        confidence = min(max(self.least_confidence, 0.001), 0.995)
        return math.log((1 - confidence) / confidence)

    def says(self, text: str) -> bool:
        """Whether a text is what was heard, but for case, accents and punctuation."""
        return tokens(text) == tokens(self.text)

    def rarity_beside(self, text: str) -> float:
        """How rare those of its words are that do not stand in a text that was made of it: the sum of theirs."""
        kept = SequenceMatcher(None, [token for token, _ in self._tokens], tokens(text), autojunk=False)
        changes = (opcode for opcode in kept.get_opcodes() if opcode[0] != "equal")
        return sum(rarity for _, start, end, _, _ in changes for _, rarity in self._tokens[start:end])

    @cached_property
    def _tokens(self) -> list[tuple[str, float]]:
        """Its tokens, each with its share of how rare its word is."""
        rarities = self.rarities or (0.0,) * len(self.words)
        shares = ((tokens(word), rarity) for word, rarity in zip(self.words, rarities, strict=True))
        return [(token, rarity / len(parts)) for parts, rarity in shares for token in parts]
