"""Encoded audio → hypotheses: which token may come next, when to stop, how sure we are, other readings.

Greedy search with Whisper's suppression rules. Where the model hesitates, its second choice is followed as
well: those alternatives share the greedy path's cache up to the branch and are decoded as one batch.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from asr.checkpoints import Checkpoint
from asr.model import KeyValueCache

MIN_BRANCH_PROBABILITY = 0.05  # a second choice less likely than this is no alternative
BRANCH_SLACK = 8  # tokens that an alternative may be longer than the best reading


class DecodingCancelled(Exception):
    """Nobody waits for the answer any more."""


@dataclass(frozen=True)
class DecodingOptions:
    """`language` is an ISO 639-1 code, or None: found among `languages`. `alternatives`: other readings wanted."""

    language: str | None = None
    languages: tuple[str, ...] = ("en",)
    alternatives: int = 0


@dataclass(frozen=True)
class Reading:
    """One hypothesis for a window; `avg_logprob` is the mean over its tokens and the end of text."""

    text: str
    tokens: tuple[int, ...]
    avg_logprob: float

    @property
    def confidence(self) -> float:
        return math.exp(self.avg_logprob)


@dataclass(frozen=True)
class DecodedWindow:
    """What was heard in one window: the greedy reading, then alternatives, the likeliest first.

    `no_speech_probability` is what the model gives its no-speech token where the transcript starts;
    `encode_seconds` and `decode_seconds` say where the time went.
    """

    best: Reading
    alternatives: tuple[Reading, ...]
    language: str
    no_speech_probability: float
    encode_seconds: float = 0.0
    decode_seconds: float = 0.0


@dataclass
class TokenSequence:
    """A text in the making; `runners_up` are the second choices (token, log-probability) at each step."""

    tokens: list[int] = field(default_factory=list)
    finished: bool = False
    runners_up: list[tuple[int, float]] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)

    def append(self, token: int, logprob: float, *, eot: int) -> None:
        self.logprobs.append(logprob)
        if token == eot:
            self.finished = True
        else:
            self.tokens.append(token)

    def branch(self, step: int, *, eot: int) -> "TokenSequence":
        """The sequence that takes the second choice at this step."""
        sequence = TokenSequence(self.tokens[:step], logprobs=self.logprobs[:step])
        sequence.append(*self.runners_up[step], eot=eot)
        return sequence

    @property
    def avg_logprob(self) -> float:
        """Mean over the text tokens and the end of text, as the reference counts; so too where it never came."""
        return sum(self.logprobs) / (len(self.tokens) + 1)


class WindowDecoder:
    """Decodes one window at a time with a checkpoint's decoder."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.decoder = checkpoint.model.decoder
        self.tokenizer = checkpoint.tokenizer
        self.max_tokens = checkpoint.model.dims.n_text_ctx // 2
        self.suppress = list(checkpoint.suppress)
        self.suppress_at_start = list(checkpoint.suppress_at_start)

    def decode(
        self, encoded: Tensor, options: DecodingOptions, cancelled: Callable[[], bool] = lambda: False
    ) -> DecodedWindow:
        """Decode audio of shape (1, n_audio_ctx, n_audio_state).

        Raises DecodingCancelled as soon as `cancelled` says so, UnknownLanguage for a language the model lacks.
        """
        cache = self.decoder.start(encoded)
        sot_logits = self._read([[self.tokenizer.sot]], [0], cache)[0, -1]
        language = options.language or self._detect_language(sot_logits, options.languages)
        prompt = self.tokenizer.prompt(language)
        logits = self._read([prompt[1:]], [1], cache)[:, -1]

        greedy = TokenSequence()
        self._extend([greedy], len(prompt), logits, cache, self.max_tokens, cancelled)
        branches = self._branches(greedy, len(prompt), cache, options.alternatives, cancelled)
        readings = [self._reading(sequence) for sequence in branches if sequence.finished]
        return DecodedWindow(
            best=self._reading(greedy),
            alternatives=tuple(sorted(readings, key=lambda reading: -reading.avg_logprob)),
            language=language,
            no_speech_probability=float(sot_logits.softmax(dim=-1)[self.tokenizer.no_speech]),
        )

    def _read(self, tokens: list[list[int]], starts: list[int], cache: KeyValueCache) -> Tensor:
        device = self.decoder.positional_embedding.device
        return self.decoder(torch.tensor(tokens, device=device), starts, cache)  # type: ignore[no-any-return]

    def _detect_language(self, sot_logits: Tensor, languages: tuple[str, ...]) -> str:
        """The likeliest of the given languages by the logits (n_vocab,) that follow the start of transcript."""
        if len(languages) == 1 or not self.tokenizer.is_multilingual:
            return languages[0]
        tokens = [self.tokenizer.language_token(language) for language in languages]
        return languages[int(sot_logits[tokens].argmax())]

    def _extend(
        self,
        sequences: list[TokenSequence],
        prompt_length: int,
        logits: Tensor,
        cache: KeyValueCache,
        max_tokens: int,
        cancelled: Callable[[], bool],
    ) -> None:
        """Let every sequence grow, the likeliest token at a time, to its end or to `max_tokens`.

        `logits` (batch, n_vocab) are those of the next token; row i of the cache belongs to sequence i.
        """
        while True:
            self._choose(sequences, logits)
            if all(s.finished or len(s.tokens) >= max_tokens for s in sequences):
                return
            if cancelled():
                raise DecodingCancelled
            # A finished sequence reads its last place again: its answer is taken already.
            last = [[s.tokens[-1] if s.tokens else self.tokenizer.eot] for s in sequences]
            starts = [prompt_length + max(len(s.tokens), 1) - 1 for s in sequences]
            logits = self._read(last, starts, cache)[:, -1]

    def _choose(self, sequences: list[TokenSequence], logits: Tensor) -> None:
        logits[:, self.suppress] = -torch.inf
        for row, sequence in enumerate(sequences):
            if not sequence.tokens:
                logits[row, self.suppress_at_start] = -torch.inf
        logprobs, tokens = logits.log_softmax(dim=-1).topk(2)
        choices = zip(sequences, tokens.tolist(), logprobs.tolist(), strict=True)
        for sequence, (token, runner_up), (logprob, runner_up_logprob) in choices:
            if sequence.finished or len(sequence.tokens) >= self.max_tokens:
                continue
            sequence.append(token, logprob, eot=self.tokenizer.eot)
            sequence.runners_up.append((runner_up, runner_up_logprob))

    def _branches(
        self,
        greedy: TokenSequence,
        prompt_length: int,
        cache: KeyValueCache,
        count: int,
        cancelled: Callable[[], bool],
    ) -> list[TokenSequence]:
        """The readings that take the second choice where the model hesitated most; at most `count`."""
        hesitations = sorted(range(len(greedy.runners_up)), key=lambda step: -greedy.runners_up[step][1])
        steps = [s for s in hesitations[:count] if greedy.runners_up[s][1] > math.log(MIN_BRANCH_PROBABILITY)]
        branches = [greedy.branch(step, eot=self.tokenizer.eot) for step in steps]
        growing = [branch for branch in branches if not branch.finished]
        if growing:
            cache = cache.expand(len(growing))
            last = [[branch.tokens[-1]] for branch in growing]
            starts = [prompt_length + len(branch.tokens) - 1 for branch in growing]
            logits = self._read(last, starts, cache)[:, -1]
            max_tokens = min(self.max_tokens, len(greedy.tokens) + BRANCH_SLACK)
            self._extend(growing, prompt_length, logits, cache, max_tokens, cancelled)
        return branches

    def _reading(self, sequence: TokenSequence) -> Reading:
        return Reading(self.tokenizer.decode(sequence.tokens), tuple(sequence.tokens), sequence.avg_logprob)
