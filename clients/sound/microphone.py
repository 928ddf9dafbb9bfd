"""Sound from a microphone."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType, TracebackType
from typing import Any, Self

import numpy as np
import soxr

from clients.errors import MicrophoneUnavailable
from vad.utterances import SAMPLE_RATE, pcm16

BLOCKS_PER_SECOND = 50
MOST_BLOCKS = 500  # that wait to be taken
SILENT_SECONDS = 5.0  # a microphone that gives nothing for so long is gone

NO_PORTAUDIO = (
    "PortAudio, which the microphone needs, is not installed. On Debian and Ubuntu: sudo apt install libportaudio2; on "
    "Fedora: sudo dnf install portaudio; on macOS and Windows: pip install --force-reinstall sounddevice. "
    "A recording needs none: sayseek listen --file FILE"
)
NO_MICROPHONE = (
    "There is no microphone here. Plug one in, or allow this program to use it; containers and remote machines have "
    "none. A recording needs none: sayseek listen --file FILE"
)


@dataclass(frozen=True)
class Device:
    """A microphone by its number and its name; both choose it."""

    number: int
    name: str
    is_default: bool


def devices() -> list[Device]:
    """The microphones that there are. Raises `MicrophoneUnavailable` without PortAudio."""
    sounddevice = _sounddevice()
    default = sounddevice.default.device[0]
    return [
        Device(device["index"], device["name"], device["index"] == default)
        for device in sounddevice.query_devices()
        if device["max_input_channels"] > 0
    ]


class Microphone:
    """Sound from the device with this number or a part of this name, or the default one; open in a `with` block.

    Iterating gives PCM, 16 bit mono at 16 kHz, as it is heard. Both raise `MicrophoneUnavailable`.
    """

    def __init__(self, device: str | None = None) -> None:
        self._device = device
        self._blocks: asyncio.Queue[bytes] = asyncio.Queue()

    def __enter__(self) -> Self:
        sounddevice = _sounddevice()
        chosen = int(self._device) if self._device and self._device.isdecimal() else self._device
        self._loop = asyncio.get_running_loop()
        with _translated_errors(sounddevice, self._device):
            self._rate = _rate(sounddevice, chosen)
            self._source = sounddevice.RawInputStream(
                self._rate, self._rate // BLOCKS_PER_SECOND, chosen, 1, "int16", callback=self._hear
            )
            self._source.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._source.close()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        resampler = soxr.ResampleStream(self._rate, SAMPLE_RATE, num_channels=1, dtype="float32")
        while True:
            block = await self._next()
            yield block if self._rate == SAMPLE_RATE else _resampled(block, resampler)

    async def _next(self) -> bytes:
        if self._blocks.qsize() == MOST_BLOCKS:
            raise MicrophoneUnavailable("The server does not take the sound as fast as the microphone gives it.")
        try:
            async with asyncio.timeout(SILENT_SECONDS):  # wait_for may miss that it is cancelled
                return await self._blocks.get()
        except TimeoutError as exc:
            raise MicrophoneUnavailable("The microphone gives no sound any more. Is it still plugged in?") from exc

    def _hear(self, data: Any, *_: object) -> None:
        """Called by PortAudio, in a thread of its own."""
        self._loop.call_soon_threadsafe(self._keep, bytes(data))

    def _keep(self, block: bytes) -> None:
        if self._blocks.qsize() < MOST_BLOCKS:
            self._blocks.put_nowait(block)


def _sounddevice() -> ModuleType:
    """Imported where it is needed: without PortAudio that fails."""
    try:
        return import_module("sounddevice")
    except OSError as exc:
        raise MicrophoneUnavailable(NO_PORTAUDIO) from exc


def _rate(sounddevice: ModuleType, device: int | str | None) -> int:
    """16 kHz, or the device's own rate where it has no other."""
    own: float = sounddevice.query_devices(device, "input")["default_samplerate"]
    try:
        sounddevice.check_input_settings(device, 1, "int16", samplerate=SAMPLE_RATE)
    except sounddevice.PortAudioError:
        return round(own)
    return SAMPLE_RATE


@contextmanager
def _translated_errors(sounddevice: ModuleType, device: str | None) -> Iterator[None]:
    try:
        yield
    except (sounddevice.PortAudioError, ValueError) as exc:
        if device is None and not devices():
            raise MicrophoneUnavailable(NO_MICROPHONE) from exc
        wanted = "The microphone" if device is None else f"The microphone {device!r}"
        hint = "See which there are: sayseek listen --list-devices"
        raise MicrophoneUnavailable(f"{wanted} cannot be opened: {exc}. {hint}") from exc


def _resampled(block: bytes, resampler: soxr.ResampleStream) -> bytes:
    samples = np.frombuffer(block, np.int16).astype(np.float32) / 32768
    return pcm16(resampler.resample_chunk(samples)).astype("<i2").tobytes()
