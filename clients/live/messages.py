"""The server's messages while it listens, as they come over the wire; `server/live/protocol.py` describes them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from clients.answers import Alternative, Result, read_answer
from clients.errors import MalformedAnswer, ServerError, error_of
from clients.live.events import Final, Interim, Word
from clients.protocol import parse_json

STATUSES = {"invalid_request_error": 400, "authentication_error": 401}  # by the error body's type


@dataclass(frozen=True)
class _Word:
    punctuated_word: str
    start: float
    end: float
    confidence: float


@dataclass(frozen=True)
class _Alternative:
    transcript: str
    confidence: float
    words: tuple[_Word, ...]


@dataclass(frozen=True)
class _Channel:
    alternatives: tuple[_Alternative, ...]


@dataclass(frozen=True)
class _Search:
    query: str = ""
    results: tuple[Result, ...] = ()


@dataclass(frozen=True)
class Results:
    """A message with what was heard; its times are still the connection's."""

    start: float
    duration: float
    is_final: bool
    speech_final: bool
    channel: _Channel
    from_finalize: bool = False
    cut_off: bool = False
    unsure: bool = False
    stable: str = ""
    search: _Search = _Search()
    timings: Mapping[str, float] = field(default_factory=dict)

    @property
    def end(self) -> float:
        return self.start + self.duration

    def event(self, moved: Callable[[float], float]) -> Interim | Final:
        """The same for programs, at the stream's times: those of the connection, `moved`."""
        best, *others = self.channel.alternatives
        start = moved(self.start)
        end = round(start + self.duration, 3)
        if not self.is_final:
            return Interim(
                best.transcript, self.stable, start, end, best.confidence, self.search.query, self.search.results
            )
        shift = start - self.start
        return Final(
            text=best.transcript,
            start=start,
            end=end,
            confidence=best.confidence,
            words=tuple(
                Word(word.punctuated_word, round(word.start + shift, 3), round(word.end + shift, 3), word.confidence)
                for word in best.words
            ),
            alternatives=tuple(Alternative(other.transcript, other.confidence) for other in others),
            query=self.search.query,
            results=self.search.results,
            unsure=self.unsure,
            speech_final=self.speech_final,
            from_finalize=self.from_finalize,
            timings=self.timings,
        )


@dataclass(frozen=True)
class Started:
    """A message saying that somebody began to speak."""

    timestamp: float


@dataclass(frozen=True)
class Ended:
    """A message saying that an utterance was followed by silence."""

    last_word_end: float


@dataclass(frozen=True)
class Trouble:
    """A message saying what went wrong."""

    error: Mapping[str, Any]

    def server_error(self) -> ServerError:
        """The same as an error of the client's."""
        return error_of(self.error, STATUSES.get(str(self.error.get("type")), 500))


Message = Results | Started | Ended | Trouble
KINDS: dict[str, type[Message]] = {
    "Results": Results,
    "SpeechStarted": Started,
    "UtteranceEnd": Ended,
    "Error": Trouble,
}


def read_message(text: str | bytes) -> Message | None:
    """A message of the server's; None for those that tell nothing about what was said. Raises `MalformedAnswer`."""
    try:
        message = parse_json(text)
    except (ValueError, RecursionError) as exc:
        raise MalformedAnswer("The server sent something that is not JSON: is it Sayseek?") from exc
    kind = KINDS.get(str(message.get("type"))) if isinstance(message, dict) else None
    read = read_answer(kind, message) if kind else None
    if isinstance(read, Results) and not read.channel.alternatives:
        raise MalformedAnswer("The server sent results without a reading: is it Sayseek?")
    return read
