"""How likely texts are for encoded audio: each is read as if it had been chosen, token by token (teacher forcing).

Texts that begin alike share their beginning: together they make a trie, of which every node is read once. Its
stretches without a branch are read in one step, many of them together. Here is one job's state between steps, as
`asr.decoding` is for a window that is being decoded; it touches no network.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from asr.decoding import Rules
from asr.steps import Choice, Heard, Past, Row, Stepper

ROWS_AT_ONCE = 64  # of one job, in a step that it shares with others


@dataclass(frozen=True)
class Likelihood:
    """The log-probability of a text, its end included, and of how many tokens it is the sum."""

    logprob: float
    tokens: int


@dataclass(eq=False)
class _Node:
    """A token after those above it; `logprob` is that of all of them together, once that is known."""

    token: int
    logprob: float = 0.0
    following: "dict[int, _Node]" = field(default_factory=dict)

    def below(self, tokens: Iterable[int]) -> "_Node":
        """The node that these tokens lead to, made where there is none."""
        node = self
        for token in tokens:
            node = node.following.setdefault(token, _Node(token))
        return node


@dataclass(frozen=True)
class _Stretch:
    """Nodes one below the other that are to be read next, the first at `position`; only the last has a choice."""

    nodes: list[_Node]
    past: Past
    position: int

    @classmethod
    def below(cls, top: _Node, past: Past, position: int, eot: int) -> "_Stretch":
        """From `top` to the next branch, or to where only the end can follow."""
        nodes = [top]
        while len(nodes[-1].following) == 1 and eot not in nodes[-1].following:
            nodes += nodes[-1].following.values()
        return cls(nodes, past, position)


class TextScoring:
    """Some texts about one piece of audio: `rows` says what is to be read next, `take` is told how likely it was.

    It begins and forks sequences with the stepper, and gives all back at the end or at `close`. A text with more
    tokens than a transcript may have is impossible.
    """

    def __init__(self, stepper: Stepper, audio: Heard, rules: Rules, language: str, texts: Sequence[str]) -> None:
        self._stepper = stepper
        self._rules = rules
        self._eot = rules.tokenizer.eot
        prompt = rules.tokenizer.prompt(language)
        root = _Node(prompt[0])
        begin = root.below(prompt[1:])
        self._begin = begin
        self._ends = [self._end(begin, rules.tokenizer.encode(text)) for text in texts]
        self._pending: list[_Stretch] = []
        if begin.following:  # there is anything to be read
            self._pending.append(_Stretch.below(root, stepper.begin(audio), 0, self._eot))
        self._reading: list[_Stretch] = []

    @property
    def finished(self) -> bool:
        return not self._pending

    def rows(self) -> list[Row]:
        """What is to be read in the next step: as many stretches as it may have rows, and at least one."""
        count = 0
        while self._pending and (not count or count + len(self._pending[-1].nodes) <= ROWS_AT_ONCE):
            self._reading.append(self._pending.pop())
            count += len(self._reading[-1].nodes)
        return [row for stretch in self._reading for row in self._stretch_rows(stretch)]

    def take(self, choices: Sequence[Choice]) -> None:
        """Take down how likely what was read is, and go on with what follows."""
        told = iter(choices)
        while self._reading:
            stretch = self._reading.pop(0)
            self._take_stretch(stretch, [next(told) for _ in stretch.nodes])

    def result(self) -> list[Likelihood]:
        """Of each text, in their order."""
        return [Likelihood(end.logprob - self._begin.logprob if end else -math.inf, count) for end, count in self._ends]

    def close(self) -> None:
        """Give back what the stepper holds for the texts."""
        for stretch in (*self._pending, *self._reading):
            self._stepper.release(stretch.past)
        self._pending, self._reading = [], []

    def _end(self, begin: _Node, tokens: Sequence[int]) -> tuple[_Node | None, int]:
        """Where a text ends in the trie, and its tokens with the end's."""
        fits = len(tokens) < self._rules.max_tokens
        return begin.below([*tokens, self._eot]) if fits else None, len(tokens) + 1

    def _stretch_rows(self, stretch: _Stretch) -> list[Row]:
        return [self._row(stretch, place) for place in range(len(stretch.nodes))]

    def _row(self, stretch: _Stretch, place: int) -> Row:
        node, position = stretch.nodes[place], stretch.position + place
        if len(node.following) > 1:
            return Row(stretch.past, node.token, position, wants_logits=True)
        return Row(
            stretch.past, node.token, position, self._rules.suppression.nothing, expected=next(iter(node.following))
        )

    def _take_stretch(self, stretch: _Stretch, choices: Sequence[Choice]) -> None:
        for node, choice in zip(stretch.nodes, choices, strict=True):
            self._note(node, choice)
        last, position = stretch.nodes[-1], stretch.position + len(stretch.nodes)
        ahead = [node for node in last.following.values() if node.token != self._eot]
        for node in ahead[1:]:
            past = self._stepper.fork(stretch.past, position)
            self._pending.append(_Stretch.below(node, past, position, self._eot))
        if ahead:
            self._pending.append(_Stretch.below(ahead[0], stretch.past, position, self._eot))
        else:
            self._stepper.release(stretch.past)

    def _note(self, node: _Node, choice: Choice) -> None:
        """How likely those are that follow a node."""
        following = list(node.following.values())
        if choice.logits is None:
            following[0].logprob = node.logprob + choice.expected_logprob
            return
        logprobs = choice.logits.log_softmax(dim=-1)[[child.token for child in following]].tolist()
        for child, logprob in zip(following, logprobs, strict=True):
            child.logprob = node.logprob + logprob
