"""What was heard and found for one row of a manifest."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

Figures = dict[str, float | int]
Span = tuple[float, float]


@dataclass
class EvaluatedRow:
    """A row of the manifest and what became of it.

    `seconds` is the time that hearing and searching took, and `duration` the length of the recording in seconds. Where
    it `is_unsure` what was heard, a server gives results only to those who ask for them.

    Where a catalogue was `searched`, titles that were found, the best first: `found` as the server answers,
    `found_plain` for the best reading as text, `found_typed` for what was really said. `considered` are the titles
    among which the ranking chose, and `in_reach` those that a ranking could have been given; see `success`.
    `segments` are utterances that were cut, in seconds.
    """

    row: Mapping[str, Any]
    text: str = ""
    seconds: float = 0.0
    duration: float = 0.0
    is_unsure: bool = False
    searched: bool = False
    found: Sequence[str] = ()
    found_plain: Sequence[str] = ()
    found_typed: Sequence[str] = ()
    considered: AbstractSet[str] = frozenset()
    in_reach: AbstractSet[str] = frozenset()
    segments: list[Span] = field(default_factory=list)
