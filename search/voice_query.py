"""From what was heard to results."""

import re
from dataclasses import dataclass

from search.index import SearchIndex
from search.result import Result
from search.text import WORD_CHARACTER

# From a word's first letter or digit to its last: "3.5", "o'hare" and "saint-denis" stay whole.
_CORE = re.compile(f"{WORD_CHARACTER}(?:.*{WORD_CHARACTER})?")


@dataclass(frozen=True)
class VoiceResults:
    """What was searched for, and what was found."""

    query: str
    results: list[Result]


def find(text: str, index: SearchIndex, limit: int) -> VoiceResults:
    """Search for what a transcript asks; at most `limit` results, the best first."""
    query = normalise(text)
    return VoiceResults(query, index.search(query, limit))


def normalise(transcript: str) -> str:
    """A transcript as someone would type it: "Hotels in Reykjavík." is "hotels in reykjavík"."""
    cores = (_CORE.search(word) for word in transcript.lower().split())
    return " ".join(core.group() for core in cores if core)
