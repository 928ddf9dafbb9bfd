"""Listeners of /v1/listen that speak recordings at their own pace, and when they were sent what."""

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import soundfile
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from asr.decoding.stable_prefix import begins_with
from benchmarks.endpointing import Found
from evaluation.rows import Span
from vad.frames import SAMPLE_RATE
from vad.utterances import Samples

CLOSE = '{"type": "CloseStream"}'
KEEP_ALIVE = '{"type": "KeepAlive"}'
BACKGROUND_MARGIN = 0.1  # seconds before the first utterance that are not taken for background
Message = dict[str, Any]


@dataclass(frozen=True)
class Recording:
    """16 kHz mono, and where somebody speaks in it, in seconds."""

    samples: Samples
    utterances: list[Span]

    @property
    def seconds(self) -> float:
        return len(self.samples) / SAMPLE_RATE


@dataclass
class Listened:
    """What a listener was sent, each with the seconds since the first sample, and the code of the close."""

    recording: Recording
    received: list[tuple[float, str]] = field(default_factory=list)
    code: int | None = None

    def results(self) -> list[tuple[float, Message]]:
        messages = [(at, json.loads(text)) for at, text in self.received]
        return [(at, message) for at, message in messages if message["type"] == "Results"]


def recordings(manifest: Path) -> list[Recording]:
    read = []
    for row in map(json.loads, manifest.read_text(encoding="utf-8").splitlines()):
        samples, _ = soundfile.read(manifest.parent / row["audio"], dtype="int16")
        read.append(Recording(samples, [(utterance["start"], utterance["end"]) for utterance in row["utterances"]]))
    return read


def thinned(recording: Recording, share: float, first: int, seconds: float) -> Recording:
    """So many seconds at most of the utterances from the `first` on, in a circle, with background put between them.

    Utterances take `share` of the time. The background is what is heard before the first one, repeated.
    """
    spans = recording.utterances
    bounds = [0.0, *((a[1] + b[0]) / 2 for a, b in itertools.pairwise(spans)), recording.seconds]
    background = recording.samples[: round((spans[0][0] - BACKGROUND_MARGIN) * SAMPLE_RATE)]
    pieces: list[Samples] = []
    utterances: list[Span] = []
    at = 0.0
    for number in [*range(first, len(spans)), *range(first)]:
        (start, end), begin, stop = spans[number], bounds[number], bounds[number + 1]
        length = max(stop - begin, (end - start) / share)
        if at + length > seconds:
            break
        speech = recording.samples[round(begin * SAMPLE_RATE) : round(stop * SAMPLE_RATE)]
        pieces += [speech, np.resize(background, max(0, round(length * SAMPLE_RATE) - len(speech)))]
        utterances.append((at + start - begin, at + end - begin))
        at += length
    return Recording(np.concatenate(pieces), utterances)


def address_of(server: str, **params: object) -> str:
    return f"{server.replace('http', 'ws', 1)}/v1/listen?{urlencode(params)}"


async def listen(address: str, recording: Recording, message_seconds: float) -> Listened:
    """Speak a recording; every message leaves when its last sample would have been spoken."""
    listened = Listened(recording)
    async with connect(address, compression=None, ping_interval=None, open_timeout=60) as socket:
        began = time.monotonic()
        speaking = asyncio.create_task(speak(socket, recording.samples, message_seconds))
        with contextlib.suppress(ConnectionClosed):
            async for message in socket:  # read later: this process has its share of the cores
                listened.received.append((time.monotonic() - began, str(message)))
        await speaking
    listened.code = socket.close_code
    return listened


async def speak(socket: ClientConnection, samples: Samples, message_seconds: float) -> None:
    began = time.monotonic()
    length = round(message_seconds * SAMPLE_RATE)
    with contextlib.suppress(ConnectionClosed):
        for at in range(0, len(samples), length):
            await asyncio.sleep(max(0.0, began + (at + length) / SAMPLE_RATE - time.monotonic()))
            await socket.send(samples[at : at + length].tobytes())
        await socket.send(CLOSE)


async def listen_in_turn(
    address: str, recordings: Sequence[Recording], at_once: int, message_seconds: float
) -> list[Listened]:
    """All recordings, so many at once, the longest first."""
    left = sorted(recordings, key=lambda recording: recording.seconds)
    listened: list[Listened] = []

    async def take() -> None:
        while left:
            listened.append(await listen(address, left.pop(), message_seconds))

    await asyncio.gather(*(take() for _ in range(at_once)))
    return listened


def found(listened: Listened) -> Found:
    """The finals that have words, and the seconds from the last sample of the utterance that each ended until it came.

    Those that CloseStream hurried have no such delay.
    """
    result = Found(listened.recording.utterances)
    for at, message in listened.results():
        if message["is_final"] and message["channel"]["alternatives"][0]["transcript"]:
            segment = span(message)
            result.segments.append(segment)
            ended = [u[1] for u in result.utterances if u[0] < segment[1] and u[1] > segment[0]]
            if at < listened.recording.seconds:
                result.delays += [at - end for end in ended[-1:] if at > end]
    return result


def span(message: Message) -> Span:
    return message["start"], message["start"] + message["duration"]


@dataclass
class Interims:
    """When interims came: after an utterance's onset, one after the other while it lasted; and broken promises.

    An interim breaks one where it does not begin with the stable words before it, as they were; a final where it does
    not but for case and punctuation.
    """

    first: list[float] = field(default_factory=list)  # seconds
    gaps: list[float] = field(default_factory=list)  # seconds
    taken_back: int = 0

    def add(self, listened: Listened) -> None:
        stable = ""
        times: dict[Span, list[float]] = {}
        for at, message in listened.results():
            if message["is_final"]:
                self.taken_back += not begins_with(message["channel"]["alternatives"][0]["transcript"], stable)
                stable = ""
                continue
            said = message.get("stable") or ""
            self.taken_back += not said.startswith(stable)
            stable = said
            start, end = span(message)
            spoken = [u for u in listened.recording.utterances if u[0] < end and u[1] > start]
            for utterance in spoken[-1:]:
                times.setdefault(utterance, []).append(at)
        for (start, end), came in times.items():
            self.first.append(came[0] - start)
            during = [at for at in came if at <= end]
            self.gaps += [b - a for a, b in itertools.pairwise(during)]
