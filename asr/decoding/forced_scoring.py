"""How likely texts are for encoded audio: each is read as if it had been chosen, token by token (teacher forcing).

Texts that begin alike share their beginning: together they make a trie, of which every node is read once, for all
sequences that go through it, and all nodes together. Here is one job's state between steps, as `asr.decoding.window` is
for a window that is being decoded; it touches no network.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from asr.decoding.rules import Rules
from asr.decoding.stepper import AudioContext, CacheEntry, Choice, Row, Stepper
from asr.transcript import Likelihood

TEXTS_AT_ONCE = 16  # of one job; each takes a sequence
ROWS_AT_ONCE = 96  # of one job, in a step that it shares with others


@dataclass(eq=False)
class _Node:
    """A token after those above it, in some sequences; `logprob` is that of the text so far, once that is known."""

    token: int
    position: int
    pasts: list[CacheEntry] = field(default_factory=list)
    logprob: float = 0.0
    following: "dict[int, _Node]" = field(default_factory=dict)

    def grow(self, tokens: Sequence[int], past: CacheEntry) -> "_Node":
        """The node that these tokens after this one lead to in a sequence, made where there is none."""
        node = self
        node.pasts.append(past)
        for token in tokens:
            node = node.following.setdefault(token, _Node(token, node.position + 1))
            node.pasts.append(past)
        return node


class TextScoring:
    """Some texts about one piece of audio: `rows` says what is to be read next, `take` is told how likely it was.

    It begins sequences with the stepper, and gives all back at the end or at `close`. A text with more tokens than a
    transcript may have is impossible.
    """

    def __init__(
        self, stepper: Stepper, audio: AudioContext, rules: Rules, language: str, texts: Sequence[str]
    ) -> None:
        self._stepper = stepper
        self._audio = audio
        self._rules = rules
        self._prompt = rules.tokenizer.prompt(language)
        self._texts = [rules.tokenizer.encode(text) for text in texts]
        self._logprobs = [-math.inf] * len(texts)
        self._unread = [number for number, tokens in enumerate(self._texts) if len(tokens) < rules.max_tokens]
        self._ends: dict[int, _Node] = {}  # of the texts that are being read
        self._pending: list[_Node] = []  # each after the one above it
        self._reading: list[_Node] = []
        self._held: list[CacheEntry] = []

    @property
    def finished(self) -> bool:
        return not self._pending and not self._unread

    def rows(self) -> list[Row]:
        """What is to be read in the next step."""
        if not self._pending:
            self._begin(self._unread[:TEXTS_AT_ONCE])
            del self._unread[:TEXTS_AT_ONCE]
        self._reading = self._pending[:ROWS_AT_ONCE]
        del self._pending[:ROWS_AT_ONCE]
        return [self._row(node) for node in self._reading]

    def take(self, choices: Sequence[Choice]) -> None:
        """Take down how likely what was read is."""
        for node, choice in zip(self._reading, choices, strict=True):
            if self._is_text(node):
                _note(node, choice)
        if not self._pending:
            for number, end in self._ends.items():
                self._logprobs[number] = end.logprob
            self.close()

    def result(self) -> list[Likelihood]:
        """Of each text, in their order; its tokens are counted with the end's."""
        return [
            Likelihood(logprob, len(tokens) + 1) for logprob, tokens in zip(self._logprobs, self._texts, strict=True)
        ]

    def close(self) -> None:
        """Give back what the stepper holds for the texts."""
        for past in self._held:
            self._stepper.release(past)
        self._held = []

    def _begin(self, numbers: Sequence[int]) -> None:
        """Begin with the texts of these numbers."""
        first, *prompt = self._prompt
        root = _Node(first, 0)
        self._ends = {}
        for number in numbers:
            past = self._stepper.begin(self._audio)
            self._held.append(past)
            self._ends[number] = root.grow([*prompt, *self._texts[number], self._rules.tokenizer.eot], past)
        self._pending = list(_to_be_read(root))

    def _row(self, node: _Node) -> Row:
        past, *beside = node.pasts
        if not self._is_text(node):
            return Row(past, node.token, node.position, beside=beside)
        if len(node.following) > 1:
            return Row(past, node.token, node.position, wants_logits=True, beside=beside)
        (following,) = node.following
        nothing = self._rules.suppression.nothing
        return Row(past, node.token, node.position, nothing, expected=following, beside=beside)

    def _is_text(self, node: _Node) -> bool:
        """Whether text follows, and not more of the prompt."""
        return node.position >= len(self._prompt) - 1


def _to_be_read(node: _Node) -> Iterator[_Node]:
    """The node and those below it, but for the ends."""
    if node.following:
        yield node
        for below in node.following.values():
            yield from _to_be_read(below)


def _note(node: _Node, choice: Choice) -> None:
    """How likely those are that follow a node."""
    following = list(node.following.values())
    if choice.logits is None:
        following[0].logprob = node.logprob + choice.expected_logprob
        return
    logprobs = choice.logits.log_softmax(dim=-1)[[child.token for child in following]].tolist()
    for child, logprob in zip(following, logprobs, strict=True):
        child.logprob = node.logprob + logprob
