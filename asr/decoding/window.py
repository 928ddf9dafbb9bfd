"""Which token comes next, when to stop, how sure we are, what else it may have been.

Greedy search with Whisper's suppression rules. Where the model hesitates, its second choice is followed as well: such
an alternative shares what was read before, and is read beside the greedy path in the same steps. Here is one window's
state between steps; it touches no network.

A transcript may be given its first tokens. They are read with the prompt, in one step, and are taken whatever the
model would choose; it says how likely they are, which counts as for any token.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from torch import Tensor

from asr.decoding.biased_beam import BiasedBeam
from asr.decoding.contextual_bias import BiasState
from asr.decoding.hypothesis import MAX_NO_SPEECH_PROBABILITY, DecodedWindow, DecodingOptions, Reading
from asr.decoding.repetition import RepetitionDetector
from asr.decoding.rules import Rules
from asr.decoding.sequence import TokenSequence
from asr.decoding.stepper import AudioContext, Choice, Row, Stepper
from asr.whisper.tokenizer import Tokenizer

MIN_BRANCH_PROBABILITY = 0.05  # a second choice less likely than this is no alternative
WINDOW_SECONDS = 30.0
BRANCH_SLACK = 8  # tokens that an alternative may be longer than the best reading


class WindowDecoding:
    """One window between steps: `rows` says what is to be read next, `take` is told what may follow.

    `seconds` is how much sound the window holds. It begins and forks sequences with the stepper, and gives all back at
    the end or at `close`.
    """

    def __init__(
        self,
        stepper: Stepper,
        audio: AudioContext,
        rules: Rules,
        options: DecodingOptions,
        seconds: float = WINDOW_SECONDS,
    ) -> None:
        self.audio = audio
        self._stepper = stepper
        self._rules = rules
        self._options = options
        self._language = options.language or _only(options.languages, rules.tokenizer)
        self._no_speech_probability = 0.0
        self._prompt = rules.tokenizer.prompt(self._language) if self._language else [rules.tokenizer.sot]
        self._forced = options.forced[: rules.max_tokens - 1]  # as many as fit
        self._prompt_read = 0
        self._greedy = TokenSequence(stepper.begin(audio), earned=BiasState(options.bias) if options.bias else None)
        self._branches: list[TokenSequence] = []
        self._biased: BiasedBeam | None = None
        self._ending = 0.0
        self._watch = RepetitionDetector(seconds)

    @property
    def finished(self) -> bool:
        return not any(True for _ in self._growing())

    def rows(self) -> list[Row]:
        """What is to be read in the next step."""
        if self._prompt_read < len(self._prompt):
            return self._prompt_rows()
        return [self._last_row(sequence) for sequence in self._growing()]

    def take(self, choices: Sequence[Choice]) -> None:
        """Go on with what the step chose for the rows."""
        if self._prompt_read < len(self._prompt):
            self._take_prompt(choices)
        else:
            chosen = list(zip(list(self._growing()), choices, strict=True))
            departures = [
                departure
                for sequence, choice in chosen
                for departure in self._departures(sequence, choice, choice.token, choice.logprob)
            ]
            for sequence, choice in chosen:
                self._go_on(sequence, choice)
            if self._biased:
                self._biased.keep(departures)
        for sequence in self._sequences():
            if sequence.past and not self._grows(sequence):
                self._release(sequence)

    def result(self) -> DecodedWindow:
        readings = [self._reading(branch) for branch in self._branches if branch.finished]
        best, biased = self._greedy, self._biased.ended if self._biased else []
        if biased and not self._options.biased_readings:
            best = max(best, biased[0], key=lambda sequence: sequence.score)
        loop = self._watch.loop if best is self._greedy else None
        return DecodedWindow(
            best=self._reading(best) if loop is None else self._looped_reading(*loop),
            alternatives=tuple(sorted(readings, key=lambda reading: -reading.avg_logprob)),
            language=self._language or self._options.languages[0],
            no_speech_probability=self._no_speech_probability,
            complete=self._greedy.finished,
            ending=self._ending,
            looped=loop is not None,
            biased=tuple(map(self._reading, biased[: self._options.biased_readings])),
        )

    def close(self) -> None:
        """Give back what the stepper holds for this window."""
        for sequence in self._sequences():
            self._release(sequence)

    def _sequences(self) -> Iterator[TokenSequence]:
        yield from (self._greedy, *self._branches)
        if self._biased:
            yield from self._biased.sequences

    def _prompt_rows(self) -> list[Row]:
        """The prompt and what is forced, in one go; or one token alone, where the language is to be heard first."""
        past = self._greedy.past
        assert past is not None
        if self._language is None:
            return [Row(past, self._prompt[0], 0, wants_logits=True)]
        tokens = [*self._prompt, *self._forced]
        following = [*tokens[1:], self._rules.tokenizer.eot]
        earned = self._earned_by_forced()
        text_begins, last = len(self._prompt) - 1, len(tokens) - 1
        # The transcript begins as forced; only readings beside it may depart within that.
        favours_from = text_begins if self._options.biased_readings else last
        return [
            Row(
                past,
                tokens[position],
                position,
                mask=None if position < text_begins else self._mask(position - text_begins),
                wants_logits=position == 0 or (self._options.ending and text_begins < position == last),
                expected=following[position],
                favoured=None if position < favours_from or not earned else earned[position - text_begins].favoured,
            )
            for position in range(self._prompt_read, len(tokens))
        ]

    def _mask(self, count: int) -> Tensor:
        """What may not follow so many tokens of text."""
        suppression = self._rules.suppression
        if not count:
            return suppression.at_start
        return suppression.after_word if count == len(self._forced) else suppression.later

    def _take_prompt(self, choices: Sequence[Choice]) -> None:
        tokenizer = self._rules.tokenizer
        if self._prompt_read == 0 and choices[0].logits is not None:
            logits = choices[0].logits
            self._no_speech_probability = float(logits.softmax(dim=-1)[tokenizer.no_speech])
            if self._language is None:
                self._language = self._likeliest_language(logits)
                self._prompt = tokenizer.prompt(self._language)
                self._prompt_read = 1
                return
        self._prompt_read = len(self._prompt)
        *before, last = choices[-1 - len(self._forced) :]
        if self._options.bias and self._no_speech_probability <= MAX_NO_SPEECH_PROBABILITY:
            self._biased = BiasedBeam(self._stepper, tokenizer, len(self._prompt))
        else:
            self._greedy.earned = None
        departures: list[tuple[TokenSequence, TokenSequence]] = []
        for token, choice in zip(self._forced, before, strict=True):
            departures += self._departures(self._greedy, choice, token, choice.expected_logprob)
            self._watch.note(self._greedy.tokens, -math.inf)  # no loop ends within what is forced
            self._greedy.append(token, choice.expected_logprob, tokenizer)
        departures += self._departures(self._greedy, last, last.token, last.logprob)
        self._go_on(self._greedy, last)
        if self._biased:
            self._biased.keep(departures)

    def _earned_by_forced(self) -> list[BiasState]:
        """What the text has earned by expected phrases before each of the forced tokens, and after all of them."""
        if not self._options.bias:
            return []
        earned = [BiasState(self._options.bias)]
        for token in self._forced:
            earned.append(earned[-1].after(token, continues_word=token in self._rules.tokenizer.spelling))
        return earned

    def _likeliest_language(self, sot_logits: Tensor) -> str:
        """The likeliest of the named languages by the logits (n_vocab,) that follow the start of transcript."""
        languages = self._options.languages
        tokens = [self._rules.tokenizer.language_token(language) for language in languages]
        return languages[int(sot_logits[tokens].argmax())]

    def _growing(self) -> Iterator[TokenSequence]:
        return filter(self._grows, self._sequences())

    def _grows(self, sequence: TokenSequence) -> bool:
        longest = self._rules.max_tokens
        if sequence is not self._greedy and self._is_over(self._greedy):
            longest = min(longest, len(self._greedy.tokens) + BRANCH_SLACK)
        return not sequence.finished and len(sequence.tokens) < longest

    def _is_over(self, sequence: TokenSequence) -> bool:
        return sequence.finished or len(sequence.tokens) >= self._rules.max_tokens

    def _last_row(self, sequence: TokenSequence) -> Row:
        assert sequence.past is not None
        position = len(self._prompt) + len(sequence.tokens) - 1
        wants_logits = self._options.ending and sequence is self._greedy
        return Row(
            sequence.past,
            sequence.tokens[-1],
            position,
            self._rules.suppression.later,
            wants_logits,
            expected=self._rules.tokenizer.eot if sequence is self._greedy else None,
            favoured=sequence.earned.favoured if sequence.earned else None,
        )

    def _go_on(self, sequence: TokenSequence, choice: Choice) -> None:
        if sequence is self._greedy:
            self._branch(choice)
            self._note_ending(choice)
            self._watch.note(sequence.tokens, choice.expected_logprob)
            if (end := self._watch.end) is not None:
                sequence.end_after(end, self._watch.end_logprobs[end])
                return
        sequence.append(choice.token, choice.logprob, self._rules.tokenizer)

    def _note_ending(self, choice: Choice) -> None:
        """Where the text may end now: how likely that was found after its last word. A full stop is no word."""
        ends = self._rules.tokenizer.ends
        if choice.logits is not None and choice.token in ends and self._greedy.tokens[-1] not in ends:
            self._ending = float(choice.logits.softmax(dim=-1)[list(ends)].sum())

    def _departures(
        self, sequence: TokenSequence, choice: Choice, taken: int, logprob: float
    ) -> Iterable[tuple[TokenSequence, TokenSequence]]:
        return self._biased.departures(sequence, choice, taken, logprob) if self._biased else ()

    def _branch(self, choice: Choice) -> None:
        """Follow the second choice too, if the model hesitates here more than where others branched."""
        hesitation = choice.runner_up_logprob
        if not self._options.alternatives or hesitation <= math.log(MIN_BRANCH_PROBABILITY):
            return
        if len(self._branches) == self._options.alternatives:
            surest = min(self._branches, key=lambda branch: branch.at_branch)
            if hesitation <= surest.at_branch:
                return
            self._release(surest)
            self._branches.remove(surest)
        greedy = self._greedy
        branch = TokenSequence(None, list(greedy.tokens), list(greedy.logprobs), at_branch=hesitation)
        branch.append(choice.runner_up, hesitation, self._rules.tokenizer)
        if self._grows(branch):
            assert greedy.past is not None
            branch.past = self._stepper.fork(greedy.past, len(self._prompt) + len(greedy.tokens))
        self._branches.append(branch)

    def _release(self, sequence: TokenSequence) -> None:
        if sequence.past:
            self._stepper.release(sequence.past)
            sequence.past = None

    def _reading(self, sequence: TokenSequence) -> Reading:
        text = self._rules.tokenizer.decode(sequence.tokens)
        return Reading(text, tuple(sequence.tokens), sequence.avg_logprob, self._word_confidences(sequence))

    def _looped_reading(self, begin: int, length: int) -> Reading:
        """Its first round is the evidence for all of it: whatever was said once is likely again, said or not."""
        first = self._greedy.logprobs[: begin + length]
        return replace(self._reading(self._greedy), avg_logprob=sum(first) / len(first))

    def _word_confidences(self, sequence: TokenSequence) -> tuple[float, ...]:
        words: list[float] = []
        for token, logprob in zip(sequence.tokens, sequence.logprobs, strict=False):
            if words and token in self._rules.tokenizer.continuations:
                words[-1] = min(words[-1], logprob)
            else:
                words.append(logprob)
        return tuple(map(math.exp, words))


def _only(languages: tuple[str, ...], tokenizer: Tokenizer) -> str | None:
    """The language, where there is nothing to choose."""
    return languages[0] if len(languages) == 1 or not tokenizer.is_multilingual else None
