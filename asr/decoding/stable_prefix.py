"""The beginning of a growing utterance's transcript that can be shown for good, while the rest may still change.

Hypotheses in a row that begin with the same words are right about them nearly always (LocalAgreement: Liu, Spanakis,
Niehues, "Low-Latency Sequence-to-Sequence Speech Recognition and Translation by Partial Hypothesis Selection",
Interspeech 2020). What they agree on is stable from then on. Their last words do not count, for they were heard in
part; nor does what begins with a word of which the model is not sure.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

# benchmarks/stability.py tells how often the final reading contradicts, and how much becomes stable. With less
# confidence more of both; with that of the whole text instead, little in short queries, whose last word lowers it.
AGREEING = 3
MIN_CONFIDENCE = 0.6


@dataclass(frozen=True)
class Partial:
    """What is heard of an utterance so far: words that stay, then words that may change."""

    stable: str
    rest: str

    @property
    def text(self) -> str:
        return " ".join(part for part in (self.stable, self.rest) if part)


class StablePrefix:
    """Follows the hypotheses of one utterance. What was given as stable, each later `stable` begins with."""

    def __init__(self) -> None:
        self._stable: list[str] = []
        self._recent: deque[list[str]] = deque(maxlen=AGREEING)

    @property
    def stable(self) -> str:
        """What was given as stable so far."""
        return " ".join(self._stable)

    def update(self, hypothesis: str, word_confidences: Sequence[float]) -> Partial:
        """Takes the transcript of all that was said so far, and how sure the model is of its words, from 0 to 1."""
        words = hypothesis.split()
        sure = takewhile(lambda confidence: confidence >= MIN_CONFIDENCE, word_confidences)
        self._recent.append([word for word, _ in zip(words[:-1], sure, strict=False)])
        rest = words[self._match(words) :]
        agreed = self._agreed() if len(self._recent) == AGREEING else 0
        self._stable += rest[:agreed]
        return Partial(self.stable, " ".join(rest[agreed:]))

    def _agreed(self) -> int:
        """How many words after the stable ones the recent hypotheses have in common."""
        continuations = [words[self._match(words) :] for words in self._recent]
        same = takewhile(lambda column: len({_bare(word) for word in column}) == 1, zip(*continuations, strict=False))
        return sum(1 for _ in same)

    def _match(self, words: list[str]) -> int:
        """How many of the hypothesis' words stand for the stable ones: as many, or what is most like them."""
        stable = [_bare(word) for word in self._stable]
        heard = [_bare(word) for word in words]
        if heard[: len(stable)] == stable:
            return len(stable)
        distances = _distances(stable, heard)
        return min(range(len(distances)), key=lambda count: (distances[count], abs(count - len(stable))))


def begins_with(text: str, stable: str) -> bool:
    """Whether a transcript begins with the words of another, but for case and punctuation."""
    words = [_bare(word) for word in stable.split()]
    return [_bare(word) for word in text.split()[: len(words)]] == words


def _bare(word: str) -> str:
    """A word without case and punctuation, which change with what follows."""
    return "".join(character for character in word.casefold() if character.isalnum()) or word


def _distances(words: list[str], others: list[str]) -> list[int]:
    """Levenshtein's distances in words, from `words` to each beginning of `others`."""
    row = list(range(len(others) + 1))
    for count, word in enumerate(words, 1):
        before, row = row, [count]
        for place, other in enumerate(others, 1):
            row.append(min(before[place - 1] + (word != other), before[place] + 1, row[-1] + 1))
    return row
