"""Sayseek: say it, find it. The public Python names of the edge client.

>>> from sayseek import Client
>>> with Client("http://127.0.0.1:8000") as client:          # doctest: +SKIP
...     answer = client.voice_search("question.wav")
...     print(answer.transcript.text, answer.results[0].title)
"""

from clients.answers import Alternative, Quality, Result, SearchAnswer, Transcript, VoiceSearchAnswer
from clients.client import AsyncClient, Client
from clients.errors import (
    Busy,
    InvalidRequest,
    MalformedAnswer,
    NotAuthorized,
    NotFound,
    SayseekError,
    ServerError,
    ServerTimeout,
    ServerUnreachable,
    UnreadableRecording,
)
from clients.retries import RetryOptions

__version__ = "0.1.0"

__all__ = [
    "Alternative",
    "AsyncClient",
    "Busy",
    "Client",
    "InvalidRequest",
    "MalformedAnswer",
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
    "Transcript",
    "UnreadableRecording",
    "VoiceSearchAnswer",
]
