"""The sounds that names are compared by, and how far any two are from each other.

The distance is Kondrak's (A New Algorithm for the Alignment of Phonetic Sequences, NAACL 2000): phones are bundles of
articulatory features, and each feature that differs costs its salience. His values of place and manner, saliences
and costs stand here as he gives them, on the few broad phones that spelling tells apart.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# One character each. S, C, J are the sounds of "ship", "chip", "jam"; T of "thin"; N of "sing"; y of "yes".
CONSONANTS = "pbmwfvTtdsznlrSCJykgNh"
VOWELS = "aeiou"
PHONES = CONSONANTS + VOWELS

_PLACES = {
    1.0: "pbmw",
    0.95: "fv",
    0.9: "T",
    0.85: "tdsznlr",
    0.75: "SCJ",
    0.7: "yei",
    0.6: "kgNaou",
    0.1: "h",
}
_MANNERS = {1.0: "pbmtdnkgN", 0.9: "CJ", 0.8: "fvTszSh", 0.6: "wlry", 0.4: "iu", 0.2: "eo", 0.0: "a"}
_VOICED = "bmwvdznlrJygN" + VOWELS
_NASAL = "mnN"
_HEIGHT = {"i": 1.0, "u": 1.0, "e": 0.5, "o": 0.5, "a": 0.0}
_BACKNESS = {"i": 1.0, "e": 1.0, "a": 0.5, "o": 0.0, "u": 0.0}
_ROUND = "ou"

# How much a feature that differs costs, of the salience of all.
_PLACE, _MANNER, _VOICE, _NASALITY, _LATERALITY, _RHOTICITY, _SYLLABICITY = 40, 50, 10, 10, 10, 10, 5
_OF_VOWELS = 5
# To leave out a phone costs half of what matching it earns (35; 15 for vowels, which vary most), and 10 beside.
_SKIP_CONSONANT = 35 / 2 + 10
_SKIP_VOWEL = 15 / 2 + 10


@dataclass(frozen=True)
class Costs:
    """What an alignment pays, where leaving out a consonant costs 1; indices are places in `PHONES`."""

    replace: NDArray[np.float64]  # (phones, phones)
    skip: NDArray[np.float64]  # (phones,)


def costs() -> Costs:
    """No phone replaces another at more than leaving out both costs."""
    replace = np.array([[_difference(p, q) for q in PHONES] for p in PHONES]) / _SKIP_CONSONANT
    skip = np.array([_SKIP_VOWEL if p in VOWELS else _SKIP_CONSONANT for p in PHONES]) / _SKIP_CONSONANT
    return Costs(np.minimum(replace, skip[:, None] + skip[None, :]), skip)


def _difference(p: str, q: str) -> float:
    if p in VOWELS and q in VOWELS:
        height, back = abs(_HEIGHT[p] - _HEIGHT[q]), abs(_BACKNESS[p] - _BACKNESS[q])
        return _OF_VOWELS * (height + back + ((p in _ROUND) != (q in _ROUND)))
    binary = ((_VOICE, _VOICED), (_NASALITY, _NASAL), (_LATERALITY, "l"), (_RHOTICITY, "r"), (_SYLLABICITY, VOWELS))
    return (
        _PLACE * abs(_value(_PLACES, p) - _value(_PLACES, q))
        + _MANNER * abs(_value(_MANNERS, p) - _value(_MANNERS, q))
        + sum(salience for salience, having in binary if (p in having) != (q in having))
    )


def _value(values: dict[float, str], phone: str) -> float:
    return next(value for value, phones in values.items() if phone in phones)
