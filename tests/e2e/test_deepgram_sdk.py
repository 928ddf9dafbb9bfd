"""Deepgram's published SDK, of which only the address is changed, gets its words here, and search results with them."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from deepgram import DeepgramClient, DeepgramClientEnvironment
from deepgram.core.api_error import ApiError
from deepgram.core.events import EventType
from deepgram.listen.v1.types import (
    ListenV1Metadata,
    ListenV1Results,
    ListenV1SpeechStarted,
    ListenV1UtteranceEnd,
)
from websockets.exceptions import InvalidStatus

from tests.e2e.conftest import Server, StartServer
from tests.e2e.listening import recording, silence, spoken

KEY = "abc123"


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> Iterator[Server]:
    with start_server(api_key=KEY) as server:
        yield server


def client(server: Server, key: str = KEY) -> DeepgramClient:
    address = server.address.replace("http", "ws", 1)
    here = DeepgramClientEnvironment(base=server.address, production=address, agent=address, agent_rest=server.address)
    return DeepgramClient(api_key=key, environment=here)


def test_a_recording_streamed_with_the_sdk_is_heard_and_its_city_found(
    server: Server, sample_files: list[Path]
) -> None:
    path = next(path for path in sample_files if "toronto" in path.name)
    received: list[object] = []
    with client(server).listen.v1.connect(
        model="nova-3",
        language="en-US",
        smart_format=True,
        encoding="linear16",
        channels=1,
        sample_rate=16000,
        interim_results=True,
        utterance_end_ms="1000",
        vad_events=True,
        endpointing=300,
    ) as connection:
        connection.on(EventType.MESSAGE, received.append)
        listening = threading.Thread(target=connection.start_listening)
        listening.start()
        audio = spoken(path) + silence(1).tobytes()
        for at in range(0, len(audio), 3200):
            connection.send_media(audio[at : at + 3200])
        connection.send_keep_alive()
        connection.send_close_stream()
        listening.join(60)
        assert not listening.is_alive()
    assert {type(message) for message in received} == {
        ListenV1Metadata,
        ListenV1SpeechStarted,
        ListenV1Results,
        ListenV1UtteranceEnd,
    }
    finals = [message for message in received if isinstance(message, ListenV1Results) and message.is_final]
    assert len(finals) == 1
    best = finals[0].channel.alternatives[0]
    assert "Toronto" in best.transcript
    assert best.words[-1].word == "toronto"
    assert 0 < best.confidence <= 1
    assert finals[0].metadata.model_info.name == "base"
    assert finals[0].speech_final
    found = finals[0].model_dump()["search"]["results"]
    assert found[0]["title"] == "Toronto"


def test_finalize_with_the_sdk(server: Server, sample_files: list[Path]) -> None:
    with client(server).listen.v1.connect(model="nova-3", endpointing=False) as connection:
        assert isinstance(connection.recv(), ListenV1Metadata)
        connection.send_media(recording(sample_files[0]).tobytes())
        connection.send_finalize()
        final = connection.recv()
        assert isinstance(final, ListenV1Results)
        assert final.from_finalize
        assert final.channel.alternatives[0].transcript
        connection.send_close_stream()
        assert isinstance(connection.recv(), ListenV1Metadata)


def test_the_sdk_says_that_the_key_is_wrong(server: Server) -> None:
    """It means to raise an ApiError, but with websockets 14 and newer it lets theirs through."""
    with (
        pytest.raises((ApiError, InvalidStatus), match="401"),
        client(server, "wrong").listen.v1.connect(model="nova-3"),
    ):
        pass
