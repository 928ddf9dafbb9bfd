"""Sound in, events shown while somebody speaks, until the sound ends or Ctrl-C comes."""

import asyncio
import signal
from collections.abc import AsyncIterable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from clients.live.events import Event
from clients.live.stream import Stream
from clients.sound.speech_gate import Speech, SpeechGate


@dataclass
class Sent:
    """Bytes of sound: how many were heard, and how many of them were sent."""

    heard: int = 0
    sent: int = 0

    @property
    def saved(self) -> float:
        """The share that was not sent."""
        return 1 - self.sent / self.heard if self.heard else 0.0


async def listen(
    stream: Stream,
    sound: AsyncIterable[bytes],
    gate: SpeechGate | None,
    begin: Callable[[], None],
    show: Callable[[Event], None],
) -> Sent:
    """Sends `sound`, or with a `gate` what it lets through, and shows what comes back, to the end.

    `begin` is called when the sound begins: microphones may take a second or two for that.

    The first Ctrl-C ends the sound: what was said by then is still answered. Raises `OSError` and `SayseekError` for
    what ends it before, after the answers to what was heard until then.
    """
    sent = Sent()
    async with stream:
        feeding = asyncio.create_task(_feed(stream, sound, gate, sent, begin))
        try:
            with _ended_by_interrupt(feeding):
                async for event in stream:
                    show(event)
        finally:
            feeding.cancel()
            (broken,) = await asyncio.gather(feeding, return_exceptions=True)
    if isinstance(broken, Exception):
        raise broken
    return sent


async def _feed(
    stream: Stream, sound: AsyncIterable[bytes], gate: SpeechGate | None, sent: Sent, begin: Callable[[], None]
) -> None:
    try:
        async for data in sound:
            if not sent.heard:
                begin()
            sent.heard += len(data)
            if gate:
                await _send_speech(stream, gate.push(data), sent)
            else:
                await stream.send(data)
                sent.sent += len(data)
    finally:
        if gate:
            await _send_speech(stream, gate.flush(), sent)
        await stream.finish()


async def _send_speech(stream: Stream, speech: Iterator[Speech], sent: Sent) -> None:
    for part in speech:
        await stream.send(part.audio, at=part.start)
        sent.sent += len(part.audio)
        if part.is_last:
            await stream.finalize()


@contextmanager
def _ended_by_interrupt(feeding: "asyncio.Task[None]") -> Iterator[None]:
    """At Ctrl-C `feeding` is cancelled; at a second one everything."""
    loop = asyncio.get_running_loop()

    def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        signal.signal(signal.SIGINT, before)
        loop.call_soon_threadsafe(feeding.cancel)

    before = signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
