"""Repetition loops: a text that says the same over and over is noticed while decoded, and cut where it may end.

Whisper falls into loops where a sound repeats itself, as music does, and where a word is said many times: it loses
count. Then it goes on to the longest text there may be. But while it passes the end of what was said, it finds the end
of the text likelier than before and after. There the loop is cut.
"""

from collections.abc import Sequence

LONGEST_ROUND = 24  # tokens
LEAST_ROUNDS = 4  # so many equal ones in a row are a loop, where they are together
LEAST_TOKENS = 8  # as long as this
LEAST_TOKENS_PER_SECOND = 1.5  # of a window in which a word is said over and over; the end comes no sooner
MOST_TOKENS_PER_SECOND = 8.0  # and no later
ALIKE = 0.2  # nats, between two ends: then the first is taken
ROUNDS_PAST_END = 4  # after the likeliest end: with fewer the next one may be likelier
SHARE_PAST_END = 0.5  # of what was said up to there: the longer a loop, the slower its end comes and goes


class RepetitionDetector:
    """Follows a text as it grows, of so many seconds of sound.

    `end_logprobs` are those of the text's end, before its first token and after each.
    """

    def __init__(self, seconds: float) -> None:
        self._fewest = round(LEAST_TOKENS_PER_SECOND * seconds)
        self._most = round(MOST_TOKENS_PER_SECOND * seconds) + LEAST_TOKENS
        self.end_logprobs: list[float] = []
        # For each length of a round the tokens that agree with those one round before.
        self._agreeing = [0] * (LONGEST_ROUND + 1)

    def note(self, tokens: Sequence[int], end_logprob: float) -> None:
        """The text has these tokens now, and may end with this probability."""
        self.end_logprobs.append(end_logprob)
        for length in range(1, min(LONGEST_ROUND, len(tokens) - 1) + 1):
            agrees = tokens[-1] == tokens[-1 - length]
            self._agreeing[length] = self._agreeing[length] + 1 if agrees else 0

    @property
    def loop(self) -> tuple[int, int] | None:
        """Where the loop began that the text is in, and how long its round is, in tokens; None where it is in none."""
        count = len(self.end_logprobs) - 1
        for length, agreeing in enumerate(self._agreeing):
            if length and agreeing >= (LEAST_ROUNDS - 1) * length and agreeing + length >= LEAST_TOKENS:
                return count - agreeing - length, length
        return None

    @property
    def end(self) -> int | None:
        """How many tokens to keep of a text that is well past its likeliest end; None where it is not in a loop yet."""
        if (loop := self.loop) is None:
            return None
        begin, length = loop
        count = len(self.end_logprobs) - 1
        earliest = max(begin + length, self._fewest)
        if count < earliest:
            return None
        likely = max(self.end_logprobs[earliest:]) - ALIKE
        end = next(tokens for tokens in range(earliest, count + 1) if self.end_logprobs[tokens] >= likely)
        is_past = count - end >= max(ROUNDS_PAST_END * length, SHARE_PAST_END * (end - begin))
        return end if is_past or count >= self._most else None
