"""What a server tells while it listens, as values. Times are seconds from the stream's first sample."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from clients.answers import Alternative, Result
from clients.errors import SayseekError, ServerError


@dataclass(frozen=True)
class SpeechStarted:
    """Somebody began to speak."""

    start: float


@dataclass(frozen=True)
class Interim:
    """How the utterance reads so far. `text` begins with `stable`, words that what follows does not take back.

    Where the connection broke meanwhile, they begin anew. `results` are found where they are asked for.
    """

    text: str
    stable: str
    start: float
    end: float
    confidence: float
    query: str = ""
    results: tuple[Result, ...] = ()


@dataclass(frozen=True)
class Word:
    """A word as it is written; its times are estimated."""

    text: str
    start: float
    end: float
    confidence: float


@dataclass(frozen=True)
class Final:
    """What an utterance says, and what the catalogue has for it; empty text where nothing was said.

    Where it is `unsure` what was said there are no results. `speech_final` is False where it was cut for its length,
    and goes on in the next. `from_finalize` answers a `finalize`. `timings` in milliseconds.
    """

    text: str
    start: float
    end: float
    confidence: float
    words: tuple[Word, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    query: str = ""
    results: tuple[Result, ...] = ()
    unsure: bool = False
    speech_final: bool = True
    from_finalize: bool = False
    timings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class UtteranceEnd:
    """Nobody has gone on to speak for as long as was asked for; the last word ended at `end`."""

    end: float


@dataclass(frozen=True)
class Failure:
    """The server says that something went wrong, such as the recognition of one utterance; the stream goes on."""

    error: ServerError


@dataclass(frozen=True)
class Interruption:
    """The connection broke off. It is tried again in `wait` seconds; what was not answered is sent again."""

    error: SayseekError
    wait: float


Event = SpeechStarted | Interim | Final | UtteranceEnd | Failure | Interruption
