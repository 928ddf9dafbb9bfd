"""What recognition gives: plain values, with no tensor in them and no import but the standard library."""

from dataclasses import dataclass
from enum import StrEnum

# With less confidence the text may well be another: what is found by it is not shown unless it is asked for.
UNSURE_BELOW = 0.3


class Verdict(StrEnum):
    """What the quality gate thought of a clip; `UNSURE` is the model's own word on what it read."""

    OK = "ok"
    CLIPPED = "clipped"
    TOO_SHORT = "too_short"
    SILENT = "silent"
    NO_SPEECH = "no_speech"
    UNSURE = "unsure"

    @property
    def worth_recognising(self) -> bool:
        return self in (Verdict.OK, Verdict.CLIPPED)


@dataclass(frozen=True)
class Quality:
    """Figures of a clip, measured before the model sees it; only the verdict `UNSURE` comes after.

    `duration` and `speech_seconds` are in seconds, `level_dbfs` is the RMS level of the speech (of the whole
    clip where there is none), `clipped` is the share of samples at full scale, from 0 to 1.
    """

    duration: float
    speech_seconds: float
    level_dbfs: float
    clipped: float
    verdict: Verdict


@dataclass(frozen=True)
class Hypothesis:
    """One reading of an utterance; `confidence` is the geometric mean of its tokens' probabilities (0 to 1)."""

    text: str
    confidence: float


@dataclass(frozen=True)
class Likelihood:
    """The log-probability of a text for a piece of audio, its end included, and of how many tokens it is the sum."""

    logprob: float
    tokens: int


@dataclass(frozen=True)
class Timings:
    """Where the time went, in seconds: preparing the audio, waiting for the engine, the model's two halves."""

    audio: float = 0.0
    queue: float = 0.0
    encode: float = 0.0
    decode: float = 0.0


@dataclass(frozen=True)
class Transcript:
    """What was heard in a clip: empty text and confidence 0 where there was no speech.

    `alternatives` are other readings, the likeliest first; `duration` is the clip's, in seconds. `word_confidences`
    are, of every word in the text, the probability of its least likely token, `word_rarities` how rare it is: about 3
    for a common word, 1 more where one is ten times as rare. `ending` is how likely the model found it that the text
    ends where it does, from 0 to 1: 0 where it was not asked. `biased` are readings beside it that contain phrases
    which were expected.
    """

    text: str
    language: str
    confidence: float
    duration: float
    alternatives: tuple[Hypothesis, ...]
    quality: Quality
    timings: Timings
    word_confidences: tuple[float, ...] = ()
    word_rarities: tuple[float, ...] = ()
    ending: float = 0.0
    biased: tuple[Hypothesis, ...] = ()
