"""The beginning of a growing utterance's transcript that can be shown for good, while the rest may still change.

Two hypotheses in a row that begin with the same words are right about them nearly always (LocalAgreement: Liu,
Spanakis, Niehues, "Low-Latency Sequence-to-Sequence Speech Recognition and Translation by Partial Hypothesis
Selection", Interspeech 2020). What they agree on is stable from then on. Neither's last word counts: it was heard in
part.
"""

from dataclasses import dataclass
from itertools import takewhile


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
        self._last: list[str] = []

    def update(self, hypothesis: str) -> Partial:
        """Takes the transcript of all that was said so far."""
        words = hypothesis.split()
        continuation = words[self._match(words) :]
        agreed = takewhile(
            lambda pair: _bare(pair[0]) == _bare(pair[1]), zip(self._last[:-1], continuation[:-1], strict=False)
        )
        new = [word for _, word in agreed]
        self._stable += new
        self._last = continuation[len(new) :]
        return Partial(" ".join(self._stable), " ".join(self._last))

    def _match(self, words: list[str]) -> int:
        """How many of the hypothesis' words stand for the stable ones: as many, or what is most like them."""
        stable = [_bare(word) for word in self._stable]
        heard = [_bare(word) for word in words]
        if heard[: len(stable)] == stable:
            return len(stable)
        distances = _distances(stable, heard)
        return min(range(len(distances)), key=lambda count: (distances[count], abs(count - len(stable))))


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
