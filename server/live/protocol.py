"""The messages of `GET /v1/listen`: Deepgram's live protocol, plus search. This page is its reference.

A client connects with a WebSocket to `/v1/listen?…`; `server.live.options` has the parameters. It sends

- binary messages: PCM, signed 16 bit little-endian, of any length; with two channels, their samples in turn. A sample
  may be torn between two messages. An empty message is passed over. A stream that begins as a recording in a container
  or a codec does (wav, MP3, Ogg, WebM, MP4, FLAC, …) is refused by an `Error` and a close. Only the header of a wav
  with PCM of just this rate and these channels is let pass.
- text messages, in JSON:
  `{"type": "Finalize"}`     the utterance is over: answered by exactly one final with `from_finalize`, empty or not
  `{"type": "KeepAlive"}`    nothing to say for now, but still there
  `{"type": "CloseStream"}`  finish what is there, then close

The server sends text messages, in JSON, each with a `type`; times are seconds from the first sample that was sent:

- `Metadata`       first; and last, with the whole `duration`
- `SpeechStarted`  somebody began to speak (where `vad_events=true`); `timestamp` is where the utterance begins
- `Results`        `is_final: false`: an interim, how the utterance reads so far (where `interim_results=true`). Its
                   transcript begins with `stable`, words that nothing which follows takes back: later interims
                   begin with the very same, the final with the same words, whose case and punctuation may
                   differ (its alternatives may begin otherwise). Only where an utterance cannot be recognised at
                   all, which an `Error` before its empty final says, do they come to nothing. Where it is too
                   long and cut, those after the cut come with the next.
                   `is_final: true`: a final. It covers `start` to `start + duration`; an empty transcript says that
                   nothing was said. `speech_final` tells that the speaker has come to an end: it is false only where
                   an utterance was cut because it is too long, and more of it follows (where nobody goes on, that
                   is an empty final, with `speech_final`), or (`cut_off: true`) because the server is going down
                   while it is open: who has kept its audio sends it again over the next connection, and passes
                   this over. `from_finalize` tells that it answers a `Finalize`.
                   `search` has what was searched for and found (`search=interim`: with interims, too). `timings`
                   tells where the time went.
- `UtteranceEnd`   after somebody spoke, there was no speech for `utterance_end_ms`
- `Error`          `error` is the body that every error of this server has; the connection goes on, or a close follows

Where music or a television runs on behind the speaker, an utterance ends when its text has not changed for a second
(or for the longest pause that is asked for), and nothing is told of what follows until there are words in it.

What is longer than 30 s is cut at the longest pause in its second half. With `endpointing=false` only that, `Finalize`
and `CloseStream` end an utterance, and all that was sent belongs to it. The server still hears where speech pauses, and
recognises and searches at once what was said by then: if nobody speaks on, that is the final, ready when `Finalize`
comes. So send the audio as it is recorded, with at least the first 0.2 s of the silence in which you wait before you
decide that the utterance is over.

A minute of audio may come at once, and then eight seconds of it a second; each message counts 5 ms more than is in it.
With more, the server leaves off reading for a while, and the client's sending waits. It does so, too, while four finals
are due.

Finals come in the order in which they were said, and none is left out. Interims come only while the server has time
for them and the client takes them.

How a connection ends:

| code | why |
|---|---|
| 1000 | `CloseStream`: the finals have been delivered, and the closing `Metadata` |
| 1001 | the server is going down: it read no more, delivered the finals of what it had, and the closing `Metadata` |
| 1002 | what is no WebSocket frame, or one that nobody has agreed on: reserved bits, no mask |
| 1007 | a text message that is not UTF-8 |
| 1008 | no or a wrong key; a parameter that is not understood; what was sent is no PCM (reason `DATA-0000`) |
| 1009 | a message of more than 1 MB: send audio in smaller pieces |
| 1011 | neither audio nor `KeepAlive` for 30 s, or no audio for 10 min (reason `NET-0001`); pings unanswered; a bug |
| 1013 | too many listeners, or too much work: try again after some seconds |
| 1006 | (seen by the client when there was no close at all) it did not take what was sent to it for 30 seconds |

Refusals at connecting are HTTP answers, 400, 401, 404 or 503 with the one error body, where the client is a program.
Browsers hide those from their pages: a client that sends an `Origin` is accepted, told by `Error`, and closed by code.
Only where that origin is neither the server's own nor allowed (`server/middleware/origins.py`) the answer is 403 in all
cases.
"""

import json
from typing import Literal

from pydantic import BaseModel, Field

from server.schemas import ErrorBody, ErrorDetail, SearchResult

CHANNEL = (0, 1)  # the first of one: channels are mixed


class CloseCode:
    """Why a connection was closed."""

    DONE = 1000
    GOING_DOWN = 1001
    REFUSED = 1008
    TOO_LARGE = 1009
    SILENT = 1011
    FAILED = 1011
    OVERLOADED = 1013


class Finalize:
    """The utterance is over."""


class KeepAlive:
    """The client is still there."""


class CloseStream:
    """Finish what is there, then close."""


Command = Finalize | KeepAlive | CloseStream
COMMANDS: dict[str, type[Command]] = {kind.__name__: kind for kind in (Finalize, KeepAlive, CloseStream)}


class UnknownMessage(ValueError):
    """A text message that is no command; its text says what to send."""


def parse_command(text: str) -> Command:
    """The command in a text message. Raises UnknownMessage."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise UnknownMessage(f"This is not JSON. {_HINT}") from None
    kind = message.get("type") if isinstance(message, dict) else None
    if not isinstance(kind, str) or kind not in COMMANDS:
        raise UnknownMessage(f"No message has the type {kind!r}. {_HINT}")
    return COMMANDS[kind]()


_HINT = 'Send audio as binary messages, and as text only {"type": "Finalize"}, "KeepAlive" or "CloseStream".'


class _Message(BaseModel):
    def json_text(self) -> str:
        """The message as it is sent; what is not known is left out."""
        return self.model_dump_json(exclude_none=True)


class ModelInfo(BaseModel):
    name: str
    version: str
    arch: str = "whisper"


class Metadata(_Message):
    """First and last message."""

    type: Literal["Metadata"] = "Metadata"
    request_id: str
    created: str = Field(description="When the connection began, ISO 8601.")
    duration: float = Field(description="Seconds of audio received so far.")
    channels: int
    models: list[str]
    model_info: dict[str, ModelInfo] = Field(description="By the names in `models`.")
    ignored: list[str] = Field(description="Parameters that were given and have no effect here.")
    transaction_key: str = "deprecated"  # clients of the protocol insist on these two
    sha256: str = ""


class SpeechStarted(_Message):
    type: Literal["SpeechStarted"] = "SpeechStarted"
    channel: tuple[int, int] = CHANNEL
    timestamp: float


class UtteranceEnd(_Message):
    type: Literal["UtteranceEnd"] = "UtteranceEnd"
    channel: tuple[int, int] = CHANNEL
    last_word_end: float


class Word(BaseModel):
    """A word; its times are estimated: the utterance's words share its time by their lengths."""

    word: str = Field(description="In lower case, without punctuation.")
    punctuated_word: str
    start: float
    end: float
    confidence: float = Field(description="How sure the model is of its least sure part, from 0 to 1.")


class Alternative(BaseModel):
    """A reading. Only the first, the best, has words."""

    transcript: str
    confidence: float
    words: list[Word]


class Channel(BaseModel):
    alternatives: list[Alternative] = Field(description="The likeliest first; always at least one.")


class ResultsMetadata(BaseModel):
    request_id: str
    model_info: ModelInfo
    model_uuid: str


class Found(BaseModel):
    """What was searched for, and what was found."""

    query: str
    results: list[SearchResult]


class Timings(BaseModel):
    """Where the time of a final went, in milliseconds."""

    audio_ms: float = Field(description="The gate, features.")
    queue_ms: float = Field(description="Waiting for the model.")
    encode_ms: float
    decode_ms: float
    search_ms: float
    wait_ms: float = Field(
        description="From the utterance's end (the hangover has passed; Finalize was read) until this was ready. "
        "Next to nothing where the work was done while the speaker was silent."
    )


class Results(_Message):
    """What was heard: an interim, or a final."""

    type: Literal["Results"] = "Results"
    channel_index: tuple[int, int] = CHANNEL
    start: float
    duration: float
    is_final: bool
    speech_final: bool
    from_finalize: bool = False
    cut_off: bool | None = Field(default=None, description="The server is going down, and has not heard it all.")
    unsure: bool | None = Field(
        default=None, description="What was heard may well be something else: results come only with `unsure_results`."
    )
    channel: Channel
    stable: str | None = Field(default=None, description="The beginning of an interim that will not be taken back.")
    search: Found | None = None
    timings: Timings | None = None
    metadata: ResultsMetadata


class Error(_Message):
    """What went wrong. `description` and `variant` say the same for Deepgram's clients."""

    type: Literal["Error"] = "Error"
    variant: str
    description: str
    error: ErrorDetail

    @classmethod
    def of(cls, body: bytes) -> "Error":
        """From the one error body."""
        detail = ErrorBody.model_validate_json(body).error
        return cls(variant=detail.code, description=detail.message, error=detail)


ServerMessage = Metadata | SpeechStarted | UtteranceEnd | Results | Error
