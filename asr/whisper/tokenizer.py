"""Token ids ↔ text, and the special tokens that steer Whisper's decoder."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import tokenizers

from asr.errors import CheckpointError, UnknownLanguage
from asr.whisper.model import ModelDimensions

N_TIMESTAMPS = 1501  # from 0 to 30 s, in steps of 20 ms
SPACE = "Ġ"  # as byte-pair tokens write it
END_MARKS = ".?!。？！؟।"
PUNCTUATION = re.compile(r"^\W+|\W+$")  # about a word
NUMBER = re.compile(r"\W*\d[\d\W]*")


@dataclass(frozen=True)
class Tokenizer:
    """Byte-pair text tokens and Whisper's special tokens.

    The special tokens follow the text tokens in a fixed order: end of text, start of transcript, one for each
    language, translate, transcribe, start of LM, start of previous, no speech, no timestamps, then timestamps.
    `languages` are ISO 639-1 codes in the order of their tokens.
    """

    bpe: tokenizers.Tokenizer = field(repr=False)
    eot: int
    languages: tuple[str, ...]
    is_multilingual: bool

    @classmethod
    def of(cls, bpe: tokenizers.Tokenizer, dims: ModelDimensions) -> "Tokenizer":
        """The tokenizer of a model with these dimensions, from its own or a smaller sibling's tokenizer.json."""
        eot = bpe.token_to_id("<|endoftext|>")
        if eot is None:
            raise CheckpointError("The tokenizer.json is not Whisper's: it has no <|endoftext|> token.")
        languages = _languages(bpe, eot)
        if len(languages) == dims.n_languages - 1:
            languages += ("yue",)  # the one language that large-v3 added
        if len(languages) != dims.n_languages:
            raise CheckpointError(
                f"The tokenizer.json has {len(languages)} languages and the model {dims.n_languages}. "
                "Use the tokenizer.json that came with the model."
            )
        bpe = _with_first_merge(bpe)
        bpe.no_truncation()
        bpe.encode_special_tokens = True  # a name "<|endoftext|>" is text as any other, and ends nothing
        tokenizer = cls(bpe, eot, languages, dims.is_multilingual)
        if (size := tokenizer.timestamp_begin + N_TIMESTAMPS) != dims.n_vocab:
            raise CheckpointError(
                f"The tokenizer.json has {size} tokens and the model {dims.n_vocab}. "
                "Use the tokenizer.json that came with the model."
            )
        return tokenizer

    @property
    def sot(self) -> int:
        return self.eot + 1

    @property
    def translate(self) -> int:
        return self.sot + 1 + len(self.languages)

    @property
    def transcribe(self) -> int:
        return self.translate + 1

    @property
    def no_speech(self) -> int:
        return self.translate + 4

    @property
    def no_timestamps(self) -> int:
        return self.translate + 5

    @property
    def timestamp_begin(self) -> int:
        return self.translate + 6

    @cached_property
    def ends(self) -> tuple[int, ...]:
        """What a finished text goes on with after its last word: its end, or one of the marks before it."""
        marks = [self.bpe.encode(mark, add_special_tokens=False).ids for mark in END_MARKS]
        return (self.eot, *(ids[0] for ids in marks if len(ids) == 1))

    @property
    def steering(self) -> tuple[int, ...]:
        """Special tokens that steer the model and never stand in a transcript."""
        return (self.sot, *range(self.translate, self.no_timestamps))

    @cached_property
    def continuations(self) -> frozenset[int]:
        """The text tokens that go on with the word before them: all that do not begin with a space."""
        vocabulary = self.bpe.get_vocab().items()
        return frozenset(token for text, token in vocabulary if token < self.eot and not text.startswith(SPACE))

    @cached_property
    def spelling(self) -> frozenset[int]:
        """Of the continuations those that begin with a letter or a digit: with one of them the word is another."""
        vocabulary = self.bpe.get_vocab().items()
        return frozenset(token for text, token in vocabulary if token in self.continuations and text[:1].isalnum())

    def language_token(self, language: str) -> int:
        """Raises UnknownLanguage for a code that the model was not trained on."""
        known = self.languages if self.is_multilingual else ("en",)
        if language not in known:
            raise UnknownLanguage(
                f"The model does not know the language {language!r}. It knows: {', '.join(sorted(known))}."
            )
        return self.sot + 1 + self.languages.index(language)

    def prompt(self, language: str) -> list[int]:
        """What the decoder reads before the first word of a transcript without timestamps."""
        if not self.is_multilingual:
            return [self.sot, self.no_timestamps]
        return [self.sot, self.language_token(language), self.transcribe, self.no_timestamps]

    def encode(self, text: str) -> tuple[int, ...]:
        """The tokens of words as they stand in a transcript, where a space comes before the first, too."""
        return tuple(self.bpe.encode(f" {text}", add_special_tokens=False).ids) if text else ()

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """The same for many texts at once."""
        encoded = self.bpe.encode_batch_fast([f" {text}" for text in texts], add_special_tokens=False)
        return [encoding.ids for encoding in encoded]

    def rarities(self, words: Sequence[str]) -> tuple[float, ...]:
        """How rare each word is: the decimal logarithms of its tokens' places in the vocabulary, added up.

        Byte-pair encoding put frequent tokens first, and frequencies fall about as 1 / rank (Zipf, "Human Behavior and
        the Principle of Least Effort", 1949), so that 1 more stands for ten times as rare. As it is written, with a
        capital or in small letters, whichever is least rare, and without punctuation. A number is ordinary, however
        many digits it has.
        """
        cores = ["1" if NUMBER.fullmatch(word) else PUNCTUATION.sub("", word) for word in words]
        encoded = self.encode_all([form for core in cores for form in (core, core.lower(), core.capitalize())])
        costs = [sum(math.log10(1 + token) for token in ids) for ids in encoded]
        return tuple(map(min, costs[::3], costs[1::3], costs[2::3]))

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of the text tokens; special tokens are left out."""
        return self.bpe.decode([token for token in tokens if token < self.eot]).strip()


def _with_first_merge(bpe: tokenizers.Tokenizer) -> tokenizers.Tokenizer:
    """The tokenizer with its first merge, which published conversions of the multilingual one have lost.

    Without it no word that begins with a "t" is encoded as the model writes it: " the" becomes two tokens.
    """
    first = f"{SPACE}t"
    if bpe.token_to_id(first) is None or bpe.encode(" t", add_special_tokens=False).tokens == [first]:
        return bpe
    described = json.loads(bpe.to_str())
    described["model"]["merges"].insert(0, [SPACE, "t"])
    return tokenizers.Tokenizer.from_str(json.dumps(described))


def _languages(bpe: tokenizers.Tokenizer, eot: int) -> tuple[str, ...]:
    """The language codes between the start-of-transcript and the translate token."""
    translate = bpe.token_to_id("<|translate|>") or eot
    names = (bpe.id_to_token(token) or "" for token in range(eot + 2, translate))
    return tuple(match[1] for name in names if (match := re.fullmatch(r"<\|(\w+)\|>", name)))
