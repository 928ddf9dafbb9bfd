"""How text is folded before it is indexed and before it is asked for: once, here, for every index.

A document and a query meet only where their tokens are equal, so both go through `tokens`.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

MAX_TOKEN_CHARACTERS = 64

# Text is folded in pieces, cut at spaces where there are any. Unicode's normal forms take the square of a run of
# marks, and other threads wait while they are made.
_PIECE = re.compile(r".{1,1000}(?!\S)|[!-~]+|.{1,1000}", re.DOTALL)

# Typed, curly, modifier and full-width apostrophes: "O'Hare" is said, and often written, "Ohare".
_APOSTROPHES = "'\u2018\u2019\u201b\u2032`\u00b4\u02b9\u02bb\u02bc\u02bd\u02c8\uff07"
# Soft hyphen, joiners, directional marks, byte order mark: they are there, but nobody sees them.
_INVISIBLE = "\u00ad\u034f\u061c\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_DROPPED: dict[int, str | None] = dict.fromkeys(map(ord, _APOSTROPHES + _INVISIBLE))

# The planes where living scripts have their letters and marks.
_CHARACTERS = [chr(code) for code in range(0x80, 0x1F000)]


def _is_accent(mark: str) -> bool:
    """Whether a combining mark only decorates its letter.

    Canonical combining classes (Unicode Standard, section 4.3) tell: the points of Hebrew, Arabic and Syriac
    have 10 to 36, accents 200 and more. The other classes spell: kana voicing, vowel signs, viramas.
    """
    combining_class = unicodedata.combining(mark)
    return 10 <= combining_class <= 36 or combining_class >= 200


def _plain_letters() -> dict[str, str]:
    """Latin letters that Unicode does not decompose, and their base as its names tell it: "o" for "ø"."""
    named = [(c, unicodedata.name(c, "")) for c in _CHARACTERS if c < "\u2c80" and c.isalpha()]
    pattern = re.compile(r"LATIN SMALL LETTER (?:DOTLESS )?([A-Z])(?: WITH |$)")
    return {c: match[1].lower() for c, name in named if (match := pattern.match(name))}


_MARKS = [c for c in _CHARACTERS if unicodedata.category(c)[0] == "M"]
_ACCENTS = {c for c in _MARKS if _is_accent(c)}
_LIGATURES = {"æ": "ae", "œ": "oe", "ð": "d", "þ": "th", "ŋ": "n", "ə": "a"}

# What becomes of a character once it is decomposed and casefolded; None drops it.
_FOLDED = _DROPPED | dict.fromkeys(map(ord, _ACCENTS)) | str.maketrans(_plain_letters() | _LIGATURES)

# Python's "\w" leaves combining marks out, though where they spell they belong to the word. The class that
# has them is ten times slower, so it is kept for the scripts that need it: Devanagari and all after it.
WORD_CHARACTER = rf"[\w{''.join(c for c in _MARKS if c not in _ACCENTS)}]"
# From a word's first letter or digit to its last: "3.5", "o'hare" and "saint-denis" stay whole.
WORD_CORE = re.compile(f"{WORD_CHARACTER}(?:.*{WORD_CHARACTER})?")
_WORD = re.compile(r"\w+")
_MARKED_WORD = re.compile(f"{WORD_CHARACTER}+")
_MARKED_SCRIPT = re.compile("[\u0900-\U0010ffff]")

# A word in text that is not folded, with all marks and what folding drops.
_WRITTEN_WORD = re.compile(f"[\\w\u0300-\u036f{_APOSTROPHES}{_INVISIBLE}]+")
_MARKED_WRITTEN_WORD = re.compile(f"[\\w{''.join(_MARKS)}{_APOSTROPHES}{_INVISIBLE}]+")

# Scripts written without spaces between words: Thai and Lao, Burmese, Khmer, kana, Han.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]+")


def fold(text: str) -> str:
    """Text without case, accents, apostrophes and compatibility forms: "Århus O'Hare" is "arhus ohare"."""
    if text.isascii():
        return text.lower().translate(_DROPPED)
    decomposed = unicodedata.normalize("NFKD", text.translate(_DROPPED))
    folded = unicodedata.normalize("NFKD", decomposed.casefold()).translate(_FOLDED)
    return unicodedata.normalize("NFKC", folded)


def tokens(text: str) -> list[str]:
    """The folded words of a text in their order, each at most `MAX_TOKEN_CHARACTERS` long.

    Where a script is written without spaces, every two neighbouring characters make a token (as Lucene's
    CJKBigramFilter does), so that a part of the text can be found without a dictionary.
    """
    if text.isascii():  # as most are: the same, in a fifth of the time
        return [word[:MAX_TOKEN_CHARACTERS] for word in _WORD.findall(fold(text).replace("_", " "))]
    folded = (fold(part.group()) for part in _PIECE.finditer(text))
    return [piece[:MAX_TOKEN_CHARACTERS] for part in folded for word in _words(part) for piece in _pieces(word)]


def is_text(text: str) -> bool:
    """Whether a string can be written as UTF-8; half a surrogate pair cannot."""
    return text == text.encode(errors="replace").decode()


def located_tokens(text: str) -> Iterator[tuple[str, int, int]]:
    """The tokens of a text, each with where what it was made of begins and ends in it."""
    written = _MARKED_WRITTEN_WORD if _MARKED_SCRIPT.search(text) else _WRITTEN_WORD
    for match in written.finditer(text.replace("_", " ")):
        word, at = match.group(), match.start()
        located = _located_often(word) if len(word) <= MAX_TOKEN_CHARACTERS else _located(word)
        for token, start, end in located:
            yield token, at + start, at + end


def _located(word: str) -> tuple[tuple[str, int, int], ...]:
    return tuple((token, start, end) for start, end in _parts(word) for token in tokens(word[start:end]))


# Most words of a text are in the next one, too.
_located_often = lru_cache(20_000)(_located)


def _parts(word: str) -> Iterator[tuple[int, int]]:
    """Where the parts of a word lie that make tokens: pairs of characters in scripts without spaces, else all of it."""
    at = 0
    for run in _UNSPACED.finditer(word):
        if at < run.start():
            yield at, run.start()
        for first in range(run.start(), max(run.start() + 1, run.end() - 1)):
            yield first, min(first + 2, run.end())
        at = run.end()
    if at < len(word):
        yield at, len(word)


def _words(folded: str) -> list[str]:
    word = _MARKED_WORD if _MARKED_SCRIPT.search(folded) else _WORD
    return word.findall(folded.replace("_", " "))


def _pieces(word: str) -> Iterator[str]:
    """A word as it is, or cut where a script without spaces begins and ends, with that script in pairs."""
    start = 0
    for run in () if word.isascii() else _UNSPACED.finditer(word):
        if start < run.start():
            yield word[start : run.start()]
        yield from _pairs(run.group())
        start = run.end()
    if start < len(word):
        yield word[start:]


def _pairs(run: str) -> list[str]:
    return [run[i : i + 2] for i in range(len(run) - 1)] or [run]
