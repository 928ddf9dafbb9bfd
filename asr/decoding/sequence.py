"""A text in the making, and how likely it is."""

from dataclasses import dataclass, field

from asr.decoding.contextual_bias import BiasState
from asr.decoding.stepper import CacheEntry
from asr.whisper.tokenizer import Tokenizer


@dataclass(eq=False)
class TokenSequence:
    """Tokens that follow a prompt; `at_branch` is the log-probability of the second choice it began with, if it did.

    Where phrases are expected, `earned` is what it has by them, and `cost` what that has to make up for: how many nats
    likelier the text was from which it departed to follow them, and what that had earned already.
    """

    past: CacheEntry | None
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finished: bool = False
    at_branch: float = 0.0
    earned: BiasState | None = None
    cost: float = 0.0

    def append(self, token: int, logprob: float, tokenizer: Tokenizer) -> None:
        """Go on with a token, or end."""
        self.logprobs.append(logprob)
        if self.earned:
            self.earned = self.earned.after(token, continues_word=token in tokenizer.spelling)
        if token == tokenizer.eot:
            self.finished = True
        else:
            self.tokens.append(token)

    def end_after(self, count: int, logprob: float) -> None:
        """End with the first `count` tokens, at which the end of text has this log-probability."""
        self.tokens, self.logprobs, self.finished = self.tokens[:count], [*self.logprobs[:count], logprob], True

    @property
    def avg_logprob(self) -> float:
        """Mean over the text tokens and the end of text, as the reference counts; so too where it never came."""
        return sum(self.logprobs) / (len(self.tokens) + 1)

    @property
    def gain(self) -> float:
        """What following phrases has brought so far, with what those bring that have only begun."""
        return self.earned.hoped_for - self.cost if self.earned else 0.0

    @property
    def score(self) -> float:
        """Its log-probability and what it has earned by phrases that are whole."""
        return sum(self.logprobs) + (self.earned.whole if self.earned else 0.0)
