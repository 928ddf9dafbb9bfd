"""How long a pause ends a query depends on whether it reads as if its speaker had come to the end.

What tells most is how much likelihood the recogniser leaves to anything but the end of the text after its last word.
Its punctuation tells little: Whisper puts a full stop after what breaks off, too, and a question mark after whatever
begins as a question. Nor does a name that was found, said to its end: "Iceland" may come after "hotels in Reykjavik".
"""

import math

import numpy as np

from search.text.tokens import tokens
from server.live.options import ListenOptions

# What English does not end a request with: articles, prepositions, conjunctions, possessives, fillers.
# fmt: off
LEADING_WORDS = frozenset({
    "a", "an", "the", "this", "these", "some", "any", "my", "your", "our", "their", "his", "its", "in", "on", "at",
    "to", "from", "of", "for", "with", "without", "near", "by", "between", "around", "about", "into", "over",
    "under", "through", "via", "per", "and", "or", "but", "nor", "than", "as", "because", "if", "that", "which",
    "who", "where", "when", "while", "show", "find", "get", "give", "is", "are", "was", "were", "do", "does",
    "can", "could", "would", "um", "uh", "er", "hmm",
})
# fmt: on
BREAKS = (",", "-", "–", "—", "...", "…", ":", ";")
# The likelihood of going on at which the hangover is the least, the usual, and half-way to the most. In between, its
# logarithm counts: by default, twice the likelihood is 0.1 s more.
DOUBTS = (0.016, 0.045, 0.18)


def breaks_off(text: str) -> bool:
    """Whether a text ends with what, in English, leads on to another word."""
    words = tokens(text)
    return bool(words) and (words[-1] in LEADING_WORDS or text.rstrip().endswith(BREAKS))


def hangover(text: str, ending: float, options: ListenOptions) -> float:
    """The seconds of silence that end a query which reads so far as `text`; `ending` is how likely its end is (0 to 1).

    One that ends with a word that, in English, leads on to another breaks off, however sure the model is.
    """
    usual, (least, most) = options.hangover_ms, options.hangover_bounds_ms
    if not tokens(text):
        return usual / 1000
    if breaks_off(text):
        return most / 1000
    doubt = math.log(max(1 - ending, DOUBTS[0]))
    return float(np.interp(doubt, np.log(DOUBTS), (least, usual, (usual + most) / 2))) / 1000
