"""Does a query read as if its speaker had come to the end? How long a pause ends it depends on that.

Punctuation tells little: Whisper puts a full stop after what breaks off, too.
"""

from collections.abc import Iterable
from enum import Enum

from search.text import tokens

# What English does not end a request with: articles, prepositions, conjunctions, possessives, fillers.
# fmt: off
LEADING_WORDS = frozenset({
    "a", "an", "the", "this", "these", "some", "any", "my", "your", "our", "their", "his", "its", "in", "on", "at",
    "to", "from", "of", "for", "with", "without", "near", "by", "between", "around", "about", "into", "over",
    "under", "through", "via", "per", "and", "or", "but", "nor", "than", "as", "because", "if", "that", "which",
    "who", "where", "when", "while", "show", "find", "get", "give", "is", "are", "was", "were", "do", "does",
    "can", "could", "would", "please", "um", "uh", "er", "hmm",
})
# fmt: on
BREAKS = (",", "-", "–", "—", "...", "…", ":", ";")
MIN_CONFIDENCE = 0.5


class Completeness(Enum):
    """What a text says about its end."""

    COMPLETE = "complete"
    UNSURE = "unsure"
    OPEN = "open"


def completeness(text: str, confidence: float, names: Iterable[str] = ()) -> Completeness:
    """How complete an English query is; `names` are those of the best results, such as titles.

    One that ends with a name that was found, said to its end, is complete; one that ends with a word that leads on to
    another is open. Nothing is told of a text that was heard with less confidence than `MIN_CONFIDENCE`.
    """
    words = list(tokens(text))
    if not words:
        return Completeness.UNSURE
    if words[-1] in LEADING_WORDS or text.rstrip().endswith(BREAKS):
        return Completeness.OPEN
    if confidence < MIN_CONFIDENCE:
        return Completeness.UNSURE
    if text.rstrip().endswith("?") or any(_ends_with(words, list(tokens(name))) for name in names):
        return Completeness.COMPLETE
    return Completeness.UNSURE


def _ends_with(words: list[str], name: list[str]) -> bool:
    return bool(name) and words[-len(name) :] == name
