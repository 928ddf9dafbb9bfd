"""Words and phrases that a client expects to be said, as requests name them: `word`, or `word:intensifier`."""

from collections.abc import Iterable, Sequence

from pydantic_core import PydanticCustomError

from asr.decoding.contextual_bias import PhraseTrie
from asr.whisper.tokenizer import Tokenizer

MOST = 100
MOST_CHARACTERS = 80
MOST_INTENSE = 10.0
# What a keyword earns with every token, times its intensifier: twice as much in logarithms of probability is what
# Deepgram means by an intensifier twice as high.
NATS = 2.0
# What a keyword can earn at most, however high its intensifier: a word that was misheard costs some 7 nats at most, one
# that nobody said 12 and more with its first token alone.
MOST_NATS = 8.0


def parse_keywords(given: Iterable[str]) -> dict[str, float]:
    """Keywords and their intensifiers, 1 where none is given; several may stand between commas.

    Raises PydanticCustomError, a ValueError, with what to mend.
    """
    parts = [part.strip() for text in given for part in text.split(",")]
    keywords = dict(_parsed(part) for part in parts if part)
    if len(keywords) > MOST:
        raise _mismatch(f"{len(keywords)} are too many; name at most {MOST}")
    return keywords


def validate_keywords(given: Sequence[str]) -> Sequence[str]:
    """The same, checked. Raises PydanticCustomError."""
    parse_keywords(given)
    return given


def hotword_trie(keywords: Iterable[str], tokenizer: Tokenizer) -> PhraseTrie | None:
    """The same for a decoder; None where there are none."""
    boosts = {word: NATS * intensifier for word, intensifier in parse_keywords(keywords).items() if intensifier}
    return PhraseTrie.of(tokenizer, boosts, MOST_NATS) if boosts else None


def _parsed(part: str) -> tuple[str, float]:
    word, colon, intensifier = part.rpartition(":")
    word = " ".join((word if colon else intensifier).split())
    if not word or len(word) > MOST_CHARACTERS:
        raise _mismatch(f"{part[:MOST_CHARACTERS]!r} is no word or phrase of at most {MOST_CHARACTERS} characters")
    return word, _intensity(intensifier) if colon else 1.0


def _intensity(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= MOST_INTENSE:
        raise _mismatch(f"an intensifier is a number from 0 to {MOST_INTENSE:g}, not {text[:20]!r}")
    return value


def _mismatch(what: str) -> PydanticCustomError:
    """Of a plain ValueError pydantic would tell the type, too."""
    return PydanticCustomError("mismatch", "{what}", {"what": what})
