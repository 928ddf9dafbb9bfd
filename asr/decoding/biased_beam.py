"""Texts beside the greedy one that depart from it where an expected phrase may begin: a small beam of them.

The greedy text is never touched. A departure costs what the model found likelier, and is followed while the phrase
earns more than that; where the text leaves the phrase before its end, it has earned nothing and is dropped.
"""

from collections.abc import Iterable, Iterator

from asr.decoding.sequence import TokenSequence
from asr.decoding.stepper import Choice, Stepper
from asr.whisper.tokenizer import Tokenizer

BEAM = 4


class BiasedBeam:
    """The beam of one window, at most `BEAM` texts: those that gain most. `prompt` tokens were read before each."""

    def __init__(self, stepper: Stepper, tokenizer: Tokenizer, prompt: int) -> None:
        self.sequences: list[TokenSequence] = []
        self._stepper = stepper
        self._tokenizer = tokenizer
        self._prompt = prompt

    @property
    def ended(self) -> list[TokenSequence]:
        """Those that have come to an end with a whole phrase, that with the highest score first."""
        ended = [text for text in self.sequences if text.finished and text.earned and text.earned.whole]
        return sorted(ended, key=lambda text: -text.score)

    def departures(
        self, stem: TokenSequence, choice: Choice, taken: int, logprob: float
    ) -> Iterator[tuple[TokenSequence, TokenSequence]]:
        """Texts that go on with a favourite where `stem` is about to go on with the token `taken`; each with `stem`.

        What the stem has earned is no gain of theirs: they have to earn more than that.
        """
        if not stem.earned:
            return
        due = max(stem.cost, stem.earned.whole)
        for token, own in dict(choice.favourites).items():  # several phrases may go on with one
            cost = due + logprob - own
            if token != taken and cost < stem.earned.favoured.most:
                text = TokenSequence(None, list(stem.tokens), list(stem.logprobs), earned=stem.earned, cost=cost)
                text.append(token, own, self._tokenizer)
                yield text, stem

    def keep(self, departures: Iterable[tuple[TokenSequence, TokenSequence]]) -> None:
        """Keep the best of the beam and of these departures from texts that are still held by the stepper."""
        departed = list(departures)
        best = sorted([*self.sequences, *(text for text, _ in departed)], key=lambda text: -text.gain)[:BEAM]
        kept = [text for text in best if text.gain > 0]
        for text, stem in departed:
            if text in kept and stem.past:
                text.past = self._stepper.fork(stem.past, self._prompt + len(text.tokens) - 1)
        for text in self.sequences:
            if text.past and text not in kept:
                self._stepper.release(text.past)
                text.past = None
        self.sequences = kept
