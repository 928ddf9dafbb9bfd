"""Does a query read as if its speaker had come to the end? How long a pause ends it depends on that.

Punctuation tells little: Whisper puts a full stop after what breaks off, too.
"""

from collections.abc import Iterable

from search.text import tokens
from vad.endpointer import Completeness

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


def completeness(text: str, confidence: float, names: Iterable[str] = ()) -> Completeness | None:
    """Whether an English query is complete or open, if that can be told; `names` are those of the best results.

    One that ends with a name that was found, said to its end, or with a question mark is complete; one that ends with a
    word that leads on to another is open. A text that was heard with less than `MIN_CONFIDENCE` is not called complete.
    """
    words = tokens(text)
    if not words:
        return None
    if words[-1] in LEADING_WORDS or text.rstrip().endswith(BREAKS):
        return "open"
    is_told = text.rstrip().endswith("?") or any(_ends_with(words, tokens(name)) for name in names)
    return "complete" if is_told and confidence >= MIN_CONFIDENCE else None


def _ends_with(words: list[str], name: list[str]) -> bool:
    return bool(name) and words[-len(name) :] == name
