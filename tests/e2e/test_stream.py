"""Streams from programs to the real server, also over a network that breaks."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clients.answers import VoiceSearchAnswer
from clients.async_client import AsyncClient
from clients.client import Client
from clients.errors import NotAuthorized
from clients.live.events import Event, Final, Interim, Interruption, SpeechStarted
from clients.live.stream import Stream
from clients.retries import RetryOptions
from clients.sound.utterances import as_flac, utterances
from tests.e2e.conftest import Server, StartServer
from tests.e2e.cut_network import CutNetwork
from tests.e2e.listening import recording, silence
from tests.e2e.test_ask import city_of, folded

BYTES_PER_SECOND = 32_000
BLOCK = 640
HANGOVER = 0.64  # as `ask` has it


@pytest.fixture
def session(sample_files: list[Path]) -> bytes:
    """All samples, one after the other, with silence between."""
    pause = silence(1.5)
    return np.concatenate([part for file in sample_files for part in (pause, recording(file))] + [pause]).tobytes()


async def at_once(stream: Stream, audio: bytes) -> None:
    await stream.send(audio)
    await stream.finish()


async def at_its_own_pace(stream: Stream, audio: bytes, *, finishes: bool = True) -> None:
    began = time.monotonic()
    for at in range(0, len(audio), BLOCK):
        await asyncio.sleep(began + at / BYTES_PER_SECOND - time.monotonic())
        await stream.send(audio[at : at + BLOCK])
    if finishes:
        await stream.finish()


Speak = Callable[[Stream, bytes], Coroutine[Any, Any, None]]


async def listened(address: str, audio: bytes, speak: Speak = at_once, **options: Any) -> list[Event]:
    async with (
        AsyncClient(address) as client,
        client.stream(limit=3, **options) as stream,
        asyncio.TaskGroup() as tasks,
    ):
        tasks.create_task(speak(stream, audio))
        return [event async for event in stream]


def finals(events: list[Event]) -> list[Final]:
    return [event for event in events if isinstance(event, Final)]


def asked(server: Server, file: Path) -> VoiceSearchAnswer:
    with Client(server.address) as client:
        (utterance,) = utterances(file)
        return client.voice_search(as_flac(utterance.samples), limit=3)


def test_a_stream_reads_as_what_ask_says(server: Server, sample_files: list[Path], session: bytes) -> None:
    heard = finals(asyncio.run(listened(server.address, session, hangover=HANGOVER)))
    answers = [asked(server, file) for file in sample_files]
    assert [final.text for final in heard] == [answer.transcript.text for answer in answers]
    assert [final.results for final in heard] == [answer.results for answer in answers]
    for file, final in zip(sample_files, heard, strict=True):
        assert city_of(file) in folded(final.results[0].title)


@pytest.mark.parametrize("seconds", [[3.0, 9.0, 9.5, 15.0]])
def test_a_network_that_breaks_in_mid_utterance_loses_nothing_and_repeats_nothing(
    server: Server, session: bytes, seconds: list[float]
) -> None:
    whole = asyncio.run(listened(server.address, session, hangover=HANGOVER))

    async def over_the_network() -> tuple[list[Event], CutNetwork]:
        cuts = [round(second * BYTES_PER_SECOND) for second in seconds]
        async with CutNetwork(server.address, cuts).open() as network:
            return await listened(network.address, session, hangover=HANGOVER), network

    events, network = asyncio.run(over_the_network())
    assert network.connections == 1 + len(seconds)
    assert network.cuts == []
    assert [final.text for final in finals(events)] == [final.text for final in finals(whole)]
    assert [final.start for final in finals(events)] == pytest.approx([final.start for final in finals(whole)], abs=0.3)


def test_a_speaker_notices_no_more_of_a_broken_network_than_a_pause(server: Server, sample_files: list[Path]) -> None:
    """At the pace of speech, with the second of two utterances broken off, and words that come all the same."""
    files = sample_files[0], sample_files[-2]
    audio = np.concatenate([part for file in files for part in (silence(1.5), recording(file))] + [silence(1.5)])
    in_the_second = len(recording(files[0])) / 16_000 + 3 + 1

    async def over_the_network() -> list[Event]:
        async with CutNetwork(server.address, [round(in_the_second * BYTES_PER_SECOND)]).open() as network:
            return await listened(network.address, audio.tobytes(), at_its_own_pace, hangover=HANGOVER)

    events = asyncio.run(over_the_network())
    assert [folded(final.results[0].title) for final in finals(events)] == [city_of(file) for file in files]
    assert sum(isinstance(event, SpeechStarted) for event in events) == 2
    assert any(isinstance(event, Interruption) for event in events)
    assert any(isinstance(event, Interim) for event in events)
    assert finals(events)[1].start == pytest.approx(in_the_second - 1, abs=0.7)


def test_a_client_that_says_where_utterances_end(server: Server, sample_files: list[Path]) -> None:
    """Over a network that breaks: silence is left out, and times are those of the recording."""
    audio = recording(sample_files[0]).tobytes()

    async def speak(stream: Stream, _: bytes) -> None:
        for at in (10.0, 100.0):
            await stream.send(audio, at=at)
            await stream.finalize()
        await stream.finish()

    async def over_the_network() -> list[Event]:
        async with CutNetwork(server.address, [round(1.5 * len(audio))]).open() as network:
            return await listened(network.address, b"", speak, endpointing=False)

    heard = finals(asyncio.run(over_the_network()))
    assert [final.from_finalize for final in heard] == [True, True]
    assert [final.start for final in heard] == pytest.approx([10.0, 100.0], abs=0.3)
    assert heard[0].text == heard[1].text
    assert city_of(sample_files[0]) in folded(heard[0].results[0].title)


@pytest.mark.parametrize("endpointing", [True, False])
def test_an_utterance_comes_once_and_whole_though_the_server_goes_down_within_it(
    start_server: StartServer, sample_files: list[Path], endpointing: bool
) -> None:
    """It answers what it has, for who will not come again; the client waits for the answer of the next server."""
    parts = [np.trim_zeros(recording(file)) for file in (sample_files[0], sample_files[-2], sample_files[0])]
    audio = np.concatenate((silence(1), *parts, silence(1.5))).tobytes()
    servers = ExitStack()
    first = servers.enter_context(start_server(model="tiny.en"))

    def restart() -> None:
        assert first.stop() == 0
        port = first.address.rsplit(":", 1)[1]
        servers.enter_context(start_server(first.folder, model="tiny.en", port=port))

    async def speak(stream: Stream) -> None:
        await at_its_own_pace(stream, audio, finishes=endpointing)
        if not endpointing:
            await stream.finalize()
            await stream.finish()

    async def listened() -> list[Event]:
        events: list[Event] = []
        async with (
            AsyncClient(first.address) as client,
            client.stream(endpointing=endpointing, reconnect=RetryOptions(retries=100, longest_wait=120)) as stream,
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(speak(stream))
            async for event in stream:
                if isinstance(event, Interim) and not any(isinstance(before, Interim) for before in events):
                    tasks.create_task(asyncio.to_thread(restart))
                events.append(event)
        return events

    with servers:
        events = asyncio.run(listened())
    (final,) = finals(events)
    assert any(isinstance(event, Interruption) for event in events)
    assert final.speech_final
    assert final.from_finalize is not endpointing
    assert [folded(final.text).count(city_of(file)) for file in (sample_files[0], sample_files[-2])] == [2, 1]
    assert sum(isinstance(event, SpeechStarted) for event in events) == 1


def test_a_wrong_key_is_told(start_server: StartServer) -> None:
    with start_server(model="tiny.en", api_key="right") as server:

        async def connect(key: str) -> None:
            async with AsyncClient(server.address, api_key=key) as client, client.stream():
                pass

        asyncio.run(connect("right"))
        with pytest.raises(NotAuthorized):
            asyncio.run(connect("wrong"))
