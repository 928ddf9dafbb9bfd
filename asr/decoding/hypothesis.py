"""What decoding is asked for, and what it gives: hypotheses for one window."""

import math
from dataclasses import dataclass

from asr.decoding.biased_beam import BEAM
from asr.decoding.contextual_bias import PhraseTrie

# On 592 spoken clips, many in noise at 10 dB, the no-speech probability stays below, but for one that was read with
# confidence; on 112 clips of noise it is above, and the reading unsure or one phrase on and on.
MAX_NO_SPEECH_PROBABILITY = 0.45


@dataclass(frozen=True)
class DecodingOptions:
    """`language` is an ISO 639-1 code, or None: found among `languages`. `alternatives`: other readings wanted.

    `forced` are the tokens of whole words with which the transcript begins, and all alternatives. `stable` are words
    with which it has to begin, but for their case and punctuation: where it does not, the engine reads it again with
    them forced. Both are about the first window of a clip. `ending` asks how likely the text is to end where it does;
    `keeps_audio` keeps what was encoded, to be asked about again where it is a single window.

    `bias` has phrases that are expected. Of the readings with one of them `biased_readings` at most are given beside
    the transcript; where that is 0, the best takes the transcript's place if its score is higher.
    """

    language: str | None = None
    languages: tuple[str, ...] = ("en",)
    alternatives: int = 0
    forced: tuple[int, ...] = ()
    stable: str = ""
    ending: bool = False
    keeps_audio: bool = False
    bias: PhraseTrie | None = None
    biased_readings: int = 0

    @property
    def sequences(self) -> int:
        """How many texts may be in the making at once."""
        return 1 + self.alternatives + (BEAM if self.bias else 0)


@dataclass(frozen=True)
class Reading:
    """One hypothesis for a window; `avg_logprob` is the mean over its tokens and the end of text.

    `word_confidences` are, of every word, the probability of its least likely token.
    """

    text: str
    tokens: tuple[int, ...]
    avg_logprob: float
    word_confidences: tuple[float, ...] = ()

    @property
    def confidence(self) -> float:
        return math.exp(self.avg_logprob)


@dataclass(frozen=True)
class DecodedWindow:
    """What was heard in one window: the greedy reading, then alternatives, the likeliest first.

    `no_speech_probability` is what the model gives its no-speech token where the transcript starts; `complete` says
    whether the model came to an end by itself, `ending` how likely it found that after the last word, with a full stop
    or without (0 where nobody asked). `biased` are the readings with expected phrases that were asked for, the best
    first. `looped` tells of a text that ended in a loop (`asr.decoding.repetition`), `doubted` that a first hearing
    found no speech in the window, which is `seconds` long. `encode_seconds` and `decode_seconds` say where the time
    went.
    """

    best: Reading
    alternatives: tuple[Reading, ...]
    language: str
    no_speech_probability: float
    complete: bool = True
    ending: float = 0.0
    looped: bool = False
    doubted: bool = False
    seconds: float = 30.0
    biased: tuple[Reading, ...] = ()
    encode_seconds: float = 0.0
    decode_seconds: float = 0.0
