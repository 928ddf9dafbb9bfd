"""Sayseek: say it, find it. The public Python names of the edge client.

>>> from sayseek import Client
>>> with Client("http://127.0.0.1:8000") as client:          # doctest: +SKIP
...     answer = client.voice_search("question.wav")
...     print(answer.transcript.text, answer.results[0].title)
"""

from clients.answers import Alternative, Quality, Result, SearchAnswer, Transcript, VoiceSearchAnswer
from clients.async_client import AsyncClient
from clients.client import Client
from clients.errors import (
    Busy,
    InvalidRequest,
    MalformedAnswer,
    MicrophoneUnavailable,
    NotAuthorized,
    NotFound,
    SayseekError,
    ServerError,
    ServerTimeout,
    ServerUnreachable,
    UnreadableRecording,
)
from clients.live.events import Event, Failure, Final, Interim, Interruption, SpeechStarted, UtteranceEnd, Word
from clients.live.stream import Stream
from clients.retries import RetryOptions

__version__ = "0.1.0"

__all__ = [
    "Alternative",
    "AsyncClient",
    "Busy",
    "Client",
    "Event",
    "Failure",
    "Final",
    "Interim",
    "Interruption",
    "InvalidRequest",
    "MalformedAnswer",
    "MicrophoneUnavailable",
    "NotAuthorized",
    "NotFound",
    "Quality",
    "Result",
    "RetryOptions",
    "SayseekError",
    "SearchAnswer",
    "ServerError",
    "ServerTimeout",
    "ServerUnreachable",
    "SpeechStarted",
    "Stream",
    "Transcript",
    "UnreadableRecording",
    "UtteranceEnd",
    "VoiceSearchAnswer",
    "Word",
]
