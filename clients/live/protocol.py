"""How a server is asked to listen: the address, what is told besides audio, and what a close means."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import httpx
from websockets.exceptions import ConnectionClosed

from clients.errors import Busy, InvalidRequest, SayseekError, ServerError, ServerUnreachable
from clients.protocol import given_lists, sendable

FINALIZE = '{"type": "Finalize"}'
KEEP_ALIVE = '{"type": "KeepAlive"}'
CLOSE_STREAM = '{"type": "CloseStream"}'

DONE, REFUSED, OVERLOADED = 1000, 1008, 1013
BROKEN_OFF = {1000, 1001, 1005, 1006, 1012, 1014}  # unasked, another connection may do better
SILENT = "NET-0001"  # nothing was said for a long time: another connection does, too
BYTES_PER_SAMPLE = 2


@dataclass(frozen=True)
class StreamOptions:
    """What is sent, and what is asked for; `AsyncClient.stream` describes it."""

    sample_rate: int
    channels: int
    model: str | None
    language: str | None
    limit: int | None
    alternatives: int | None
    interims: bool
    search: bool | Literal["interim"]
    endpointing: bool
    hangover: float | None
    hangover_min: float | None
    hangover_max: float | None
    utterance_end: float | None
    keywords: Sequence[str] = ()
    filters: Sequence[str] = ()
    index: str | None = None
    unsure_results: bool = False

    @property
    def sample_bytes(self) -> int:
        """Of all channels."""
        return BYTES_PER_SAMPLE * self.channels

    @property
    def bytes_per_second(self) -> int:
        return self.sample_bytes * self.sample_rate

    def __post_init__(self) -> None:
        """Raises `ValueError` for one text where several are meant."""
        given_lists(keywords=self.keywords, filter=self.filters)

    def params(self) -> dict[str, str | list[str]]:
        """By their names in the address; what is left to the server is left out."""
        asked = {
            "encoding": "linear16",
            "sample_rate": self.sample_rate,
            "channels": self.channels,
            "model": self.model,
            "language": self.language,
            "limit": self.limit,
            "alternatives": self.alternatives,
            "interim_results": _flag(self.interims),
            "search": self.search if isinstance(self.search, str) else _flag(self.search),
            "endpointing": _milliseconds(self.hangover) if self.endpointing else _flag(False),
            "endpointing_min": _milliseconds(self.hangover_min),
            "endpointing_max": _milliseconds(self.hangover_max),
            "utterance_end_ms": _milliseconds(self.utterance_end),
            "index": self.index,
            "unsure_results": _flag(True) if self.unsure_results else None,
            "vad_events": _flag(True),  # they tell what must be kept
        }
        given: dict[str, str | list[str]] = {
            name: sendable(str(value)) for name, value in asked.items() if value is not None
        }
        return given | given_lists(keywords=self.keywords, filter=self.filters)


def address(base_url: httpx.URL, options: StreamOptions) -> str:
    """Where the server at `base_url` listens."""
    scheme = "wss" if base_url.scheme == "https" else "ws"
    path = f"{base_url.path.rstrip('/')}/v1/listen"
    return str(base_url.copy_with(scheme=scheme, path=path, params=options.params()))


def error_of_close(closed: ConnectionClosed, server: str, said: ServerError | None) -> SayseekError:
    """What a close that was not asked for stands for; `said` is the last error that the server told of."""
    code = closed.rcvd.code if closed.rcvd else 1006
    if code in BROKEN_OFF or (said and said.code == SILENT):
        return ServerUnreachable(f"The connection to {server} broke off ({code}).")
    message = said.message if said else f"{server} closed the connection ({code})."
    kind, status = {OVERLOADED: (Busy, 503), REFUSED: (InvalidRequest, 400)}.get(code, (ServerError, 500))
    return kind(status, message, code=said.code if said else None)


def _flag(value: bool) -> str:
    return str(value).lower()


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
