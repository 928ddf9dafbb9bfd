"""A listener's side of /v1/listen, with plain WebSockets."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import numpy.typing as npt
import soundfile
import soxr
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from server.live.interims import PACE_SECONDS, SHARE
from server.live.utterances import PAUSE_SECONDS
from tests.e2e.conftest import Server

RATE = 16_000
WAIT = 60.0  # seconds after which a test has failed

Pcm = npt.NDArray[np.int16]
Message = dict[str, Any]


def recording(path: Path, sample_rate: int = RATE) -> Pcm:
    """A sample's PCM."""
    samples, rate = soundfile.read(path, dtype="float32")
    return np.round(np.clip(soxr.resample(samples, rate, sample_rate), -1, 1) * 32767).astype("<i2")


def silence(seconds: float, sample_rate: int = RATE) -> Pcm:
    return np.zeros(round(seconds * sample_rate), "<i2")


def spoken(path: Path, sample_rate: int = RATE) -> bytes:
    """A sample with a second of silence before and after."""
    rest = silence(1, sample_rate)
    return np.concatenate((rest, recording(path, sample_rate), rest)).tobytes()


class Listener:
    """One connection; `messages` are all that were received."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.messages: list[Message] = []

    def send(self, data: bytes, size: int = 3200) -> None:
        """Send audio in messages of `size` bytes, as fast as it goes."""
        for at in range(0, len(data), size):
            self.socket.send(data[at : at + size])

    def speak(self, data: bytes, milliseconds: int = 20, slower: float = 1.0) -> None:
        """Send audio at 16 kHz mono at its own pace, or so many times slower."""
        size = 2 * RATE * milliseconds // 1000
        began = time.monotonic()
        for at in range(0, len(data), size):
            self.socket.send(data[at : at + size])
            time.sleep(max(0.0, began + slower * (at + size) / (2 * RATE) - time.monotonic()))

    def tell(self, kind: str) -> None:
        self.socket.send(json.dumps({"type": kind}))

    def next(self, kind: str = "", **having: Any) -> Message:
        """The next message of this type that has these values."""
        while True:
            message = json.loads(self.socket.recv(WAIT))
            self.messages.append(message)
            if kind in ("", message["type"]) and having.items() <= message.items():
                return message

    def rest(self) -> int:
        """Receive all until the close; gives its code."""
        try:
            while True:
                self.next()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 1006

    def close_stream(self) -> int:
        self.tell("CloseStream")
        return self.rest()

    @property
    def finals(self) -> list[Message]:
        return [message for message in self.messages if message.get("is_final")]

    @property
    def interims(self) -> list[Message]:
        return [message for message in self.messages if message.get("is_final") is False]


def text(results: Message) -> str:
    said: str = results["channel"]["alternatives"][0]["transcript"]
    return said


def titles(results: Message) -> list[str]:
    return [result["title"] for result in results["search"]["results"]]


def recognition_seconds(final: Message) -> float:
    """Return how long the recognition of a final took on this machine, from its begin to its end."""
    timings: dict[str, float] = final["timings"]
    return sum(value for name, value in timings.items() if name != "wait_ms") / 1000


def slowness(final: Message) -> float:
    """Return how many times slower to speak, so that this machine gives at least as many interims as a fast one.

    The server gives an interim every `PACE_SECONDS`, as long as an interim takes at most the `SHARE` of that time. The
    measure of an interim is `final`: the recognition of the same words, whole.
    """
    return max(1.0, recognition_seconds(final) / (SHARE * PACE_SECONDS))


def assert_begun_in_the_silence(final: Message, silence_seconds: float) -> None:
    """Hold the wait for a final against the time that its own recognition took.

    The recognition begins `PAUSE_SECONDS` into the silence, so that a head start is left when the silence is over. The
    wait is shorter than the recognition by the whole head start, or is next to nothing where the recognition is shorter
    than the head start. Half of that is asked for, since the machine may be busy. A recognition that begins when the
    silence is over saves nothing, on any machine.
    """
    took = recognition_seconds(final)
    head_start = silence_seconds - PAUSE_SECONDS
    assert final["timings"]["wait_ms"] / 1000 < took - 0.5 * min(took, head_start)


@contextmanager
def listening(server: Server, headers: dict[str, str] | None = None, **params: object) -> Iterator[Listener]:
    """Connect, and receive the first Metadata."""
    address = server.address.replace("http", "ws", 1)
    with connect(
        f"{address}/v1/listen?{urlencode(params)}", additional_headers=headers, open_timeout=WAIT, close_timeout=5
    ) as socket:
        listener = Listener(socket)
        assert listener.next()["type"] == "Metadata"
        yield listener
