"""`AsyncClient.stream`, against a real WebSocket server that does as each test says."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from clients.async_client import AsyncClient
from clients.errors import (
    Busy,
    InvalidRequest,
    MalformedAnswer,
    NotAuthorized,
    SayseekError,
    ServerError,
    ServerTimeout,
    ServerUnreachable,
)
from clients.live import ledger
from clients.live import stream as module
from clients.live.events import Event, Failure, Final, Interim, Interruption, SpeechStarted, UtteranceEnd
from clients.live.stream import Stream
from clients.retries import NO_RETRIES, RetryOptions
from tests.clients.live_server import LiveServer, Talk, run

SECOND = 32_000  # bytes
PATIENT = RetryOptions(retries=3)


def numbered(seconds: float) -> bytes:
    """Audio of which every sample differs from those around it."""
    return b"".join((at % 65_536).to_bytes(2, "little") for at in range(round(seconds * SECOND / 2)))


async def listened(stream: Stream, speak: Callable[[Stream], Awaitable[None]]) -> list[Event]:
    """All events of a stream that `speak` sends to."""
    async with stream, asyncio.TaskGroup() as tasks:
        tasks.create_task(speak(stream))
        return [event async for event in stream]


async def heard(stream: Stream, events: list[Event]) -> None:
    """Adds all events of a stream that is open."""
    async for event in stream:
        events.append(event)  # noqa: PERF401 - those before an error count


def said(audio: bytes) -> Callable[[Stream], Awaitable[None]]:
    async def speak(stream: Stream) -> None:
        await stream.send(audio)
        await stream.finish()

    return speak


async def close_when_asked(talk: Talk) -> None:
    await talk.hear_out()


def test_events_are_what_the_server_tells() -> None:
    async def script(talk: Talk) -> None:
        await talk.tell("Metadata", duration=0)
        await talk.tell("SpeechStarted", timestamp=0.2)
        await talk.tell("SomethingNew", at=1)
        await talk.answer("Hotels", 0.2, 0.5, is_final=False, stable="Ho")
        await talk.answer("Hotels.", 0.2, 0.8, timings={"decode_ms": 3})
        await talk.tell("UtteranceEnd", last_word_end=0.9)
        await talk.tell("Error", error={"message": "No.", "type": "server_error", "code": "overloaded", "param": None})
        await talk.hear_out()

    async def test() -> None:
        async with LiveServer().running(script) as server, AsyncClient(server.url) as client:
            started, interim, final, end, failure = await listened(client.stream(), said(bytes(SECOND)))
        assert started == SpeechStarted(0.2)
        assert isinstance(interim, Interim)
        assert (interim.text, interim.stable, interim.start, interim.end) == ("Hotels", "Ho", 0.2, 0.7)
        assert isinstance(final, Final)
        assert (final.text, final.start, final.end, final.query) == ("Hotels.", 0.2, 1.0, "hotels.")
        assert final.results[0].title == "Reykjavík"
        assert [(word.text, word.start, word.end) for word in final.words] == [("Hotels.", 0.2, 1.0)]
        assert final.timings == {"decode_ms": 3}
        assert end == UtteranceEnd(0.9)
        assert isinstance(failure, Failure)
        assert (failure.error.message, failure.error.code) == ("No.", "overloaded")
        assert bytes(server.talks[0].audio) == bytes(SECOND)

    run(test)


def test_options_and_key_reach_the_server() -> None:
    async def test() -> None:
        async with (
            LiveServer().running(close_when_asked) as server,
            AsyncClient(server.url + "/prefix/", api_key="hush") as client,
        ):
            stream = client.stream(
                sample_rate=8_000,
                channels=2,
                model="base",
                language="en",
                limit=3,
                alternatives=2,
                interims=False,
                search="interim",
                hangover=0.4,
                hangover_min=0.3,
                hangover_max=0.8,
                utterance_end=1.5,
                keywords=["New York", "Akureyri:2"],
                filters=["country:IS,NO", "-state:TX"],
                index="places",
            )
            assert await listened(stream, said(b"")) == []
        address = urlsplit(server.requests[0].path)
        assert address.path == "/prefix/v1/listen"
        asked = parse_qs(address.query)
        assert asked.pop("filter") == ["country:IS,NO", "-state:TX"]
        assert asked.pop("keywords") == ["New York", "Akureyri:2"]
        assert {name: value for name, (value,) in asked.items()} == {
            "encoding": "linear16",
            "sample_rate": "8000",
            "channels": "2",
            "model": "base",
            "language": "en",
            "limit": "3",
            "alternatives": "2",
            "interim_results": "false",
            "search": "interim",
            "endpointing": "400",
            "endpointing_min": "300",
            "endpointing_max": "800",
            "utterance_end_ms": "1500",
            "index": "places",
            "vad_events": "true",
        }
        assert server.requests[0].headers["Authorization"] == "Bearer hush"
        assert server.requests[0].headers.get_all("User-Agent") == ["sayseek"]

    run(test)


@pytest.mark.parametrize(
    ("status", "kind"), [(400, InvalidRequest), (401, NotAuthorized), (500, ServerError), (503, Busy)]
)
def test_a_refusal_is_the_error_that_the_body_tells(status: int, kind: type[ServerError]) -> None:
    body = json.dumps({"error": {"message": "Mend it.", "type": "t", "code": "c", "param": "p"}}).encode()

    async def test() -> None:
        async with (
            LiveServer([(status, {"Retry-After": "7"}, body)]).running(close_when_asked) as server,
            AsyncClient(server.url, retry=NO_RETRIES) as client,
        ):
            with pytest.raises(kind, match="Mend it") as caught:
                async with client.stream():
                    pass
        assert type(caught.value) is kind
        assert (caught.value.code, caught.value.param, caught.value.retry_after) == ("c", "p", 7)

    run(test)


def test_a_busy_server_is_asked_again_when_it_says() -> None:
    async def test() -> None:
        busy = (503, {"Retry-After": "0"}, b"")
        async with LiveServer([busy, busy]).running(close_when_asked) as server, AsyncClient(server.url) as client:
            events = await listened(client.stream(), said(bytes(SECOND)))
        assert all(isinstance(event, Interruption) and isinstance(event.error, Busy) for event in events)
        assert len(server.requests) == 3
        assert len(server.talks[0].audio) == SECOND

    run(test)


def test_nobody_is_there(nobody: str) -> None:
    async def test() -> None:
        async with AsyncClient(nobody, retry=NO_RETRIES) as client:
            with pytest.raises(ServerUnreachable, match=nobody):
                async with client.stream():
                    pass

    run(test)


def test_what_is_no_sayseek_server_is_told() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        writer.close()

    async def test() -> None:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with AsyncClient(f"http://127.0.0.1:{port}") as client:
                with pytest.raises(MalformedAnswer):
                    async with client.stream():
                        pass

    run(test)


def test_a_broken_connection_loses_nothing_and_repeats_nothing() -> None:
    audio = numbered(3)

    async def first(talk: Talk) -> None:
        await talk.tell("SpeechStarted", timestamp=0.1)
        await talk.hear(2 * SECOND)
        await talk.answer("One", 0.1, 0.9)
        await talk.tell("SpeechStarted", timestamp=1.2)
        await talk.answer("T", 1.2, 0.3, is_final=False)
        await talk.hear(3 * SECOND)
        talk.drop()

    async def second(talk: Talk) -> None:
        await talk.hear(2 * SECOND)
        await talk.tell("SpeechStarted", timestamp=0.22)
        await talk.answer("Two", 0.2, 0.8)
        await talk.tell("SpeechStarted", timestamp=1.1)
        await talk.answer("Three", 1.1, 0.5)
        await talk.hear_out()

    async def test() -> None:
        async with LiveServer().running(first, second) as server, AsyncClient(server.url) as client:
            events = await listened(client.stream(reconnect=PATIENT), said(audio))
        assert bytes(server.talks[0].audio) == audio
        assert bytes(server.talks[1].audio) == audio[SECOND:]
        finals = [event for event in events if isinstance(event, Final)]
        assert [(final.text, final.start) for final in finals] == [("One", 0.1), ("Two", 1.2), ("Three", 2.1)]
        assert [event.start for event in events if isinstance(event, SpeechStarted)] == [0.1, 1.2, 2.1]
        assert [type(event.error) for event in events if isinstance(event, Interruption)] == [ServerUnreachable]

    run(test)


def test_a_finalize_is_answered_once_over_a_broken_connection() -> None:
    audio = numbered(1)

    async def speak(stream: Stream) -> None:
        await stream.finalize()
        await stream.send(audio)
        await stream.finalize()
        await stream.send(audio[: SECOND // 2])
        await stream.finish()

    async def first(talk: Talk) -> None:
        await talk.hear_out()
        await talk.answer("", 0, 0, from_finalize=True)
        talk.drop()

    async def second(talk: Talk) -> None:
        await talk.hear_out()
        await talk.answer("One", 0, 1, from_finalize=True)
        await talk.answer("Half", 1, 0.5)

    async def test() -> None:
        async with LiveServer().running(first, second) as server, AsyncClient(server.url) as client:
            events = await listened(client.stream(endpointing=False, reconnect=PATIENT), speak)
        assert server.talks[0].told == ["Finalize", "Finalize", "CloseStream"]
        assert server.talks[1].told == ["Finalize", "CloseStream"]
        assert bytes(server.talks[1].audio) == audio + audio[: SECOND // 2]
        assert [event.text for event in events if isinstance(event, Final)] == ["", "One", "Half"]

    run(test)


def test_times_go_on_over_silence_that_is_left_out() -> None:
    async def speak(stream: Stream) -> None:
        await stream.send(numbered(1), at=10)
        await stream.finalize()
        await stream.send(numbered(1), at=20.5)
        await stream.send(numbered(1), at=21.5)
        await stream.finish()

    async def script(talk: Talk) -> None:
        await talk.hear_out()
        await talk.answer("One", 0, 1, from_finalize=True)
        talk.drop()

    async def second(talk: Talk) -> None:
        await talk.hear_out()
        await talk.answer("Two", 0.25, 1.5)

    async def test() -> None:
        async with LiveServer().running(script, second) as server, AsyncClient(server.url) as client:
            events = await listened(client.stream(endpointing=False, reconnect=PATIENT), speak)
        finals = [event for event in events if isinstance(event, Final)]
        assert [(final.start, final.end) for final in finals] == [(10, 11), (20.75, 22.25)]
        assert finals[1].words[0].start == 20.75

    run(test)


def test_a_server_that_stays_away_is_told_to_who_listens_and_to_who_speaks() -> None:
    async def script(talk: Talk) -> None:
        await talk.hear(100)
        talk.drop()

    async def test() -> None:
        async with (
            LiveServer().running(script) as server,
            AsyncClient(server.url) as client,
            client.stream(reconnect=RetryOptions(retries=1)) as stream,
        ):
            await stream.send(bytes(100))
            events: list[Event] = []
            with pytest.raises(ServerUnreachable):
                await heard(stream, events)
            assert [type(event) for event in events] == [Interruption]
            with pytest.raises(ServerUnreachable):
                await stream.send(bytes(100))

    run(test)


@pytest.mark.parametrize(
    ("code", "kind"), [(1008, InvalidRequest), (1011, ServerError), (1013, Busy), (1001, ServerUnreachable)]
)
def test_a_close_is_the_error_that_its_code_stands_for(code: int, kind: type[SayseekError]) -> None:
    async def script(talk: Talk) -> None:
        await talk.tell("Error", error={"message": "Mend it.", "type": "server_error", "code": "c", "param": None})
        await talk.socket.close(code)

    async def test() -> None:
        async with (
            LiveServer().running(script) as server,
            AsyncClient(server.url) as client,
            client.stream(reconnect=NO_RETRIES) as stream,
        ):
            with pytest.raises(kind) as caught:
                await heard(stream, [])
        assert type(caught.value) is kind
        assert isinstance(caught.value, ServerUnreachable) or caught.value.message == "Mend it."

    run(test)


def test_a_server_that_gives_up_who_says_nothing_for_long_is_connected_to_again() -> None:
    async def script(talk: Talk) -> None:
        await talk.tell("Error", error={"message": "Silent.", "type": "t", "code": "NET-0001", "param": None})
        await talk.socket.close(1011, "NET-0001")

    async def test() -> None:
        async with LiveServer().running(script, close_when_asked) as server, AsyncClient(server.url) as client:
            events = await listened(client.stream(), said(bytes(10)))
        assert [type(event) for event in events] == [Interruption]
        assert len(server.talks[1].audio) == 10

    run(test)


@pytest.mark.parametrize("nonsense", ["hello", '{"type": "Results"}', '{"type": "SpeechStarted", "timestamp": NaN}'])
def test_nonsense_is_not_taken_for_an_answer(nonsense: str) -> None:
    async def script(talk: Talk) -> None:
        await talk.socket.send(nonsense)
        await talk.hear_out()

    async def test() -> None:
        async with (
            LiveServer().running(script) as server,
            AsyncClient(server.url) as client,
            client.stream() as stream,
        ):
            with pytest.raises(MalformedAnswer):
                await heard(stream, [])

    run(test)


def test_no_more_is_kept_than_fits_and_that_is_told() -> None:
    async def test() -> None:
        async with (
            LiveServer().running(close_when_asked) as server,
            AsyncClient(server.url, timeout=0.5) as client,
            client.stream(endpointing=False) as stream,
        ):
            with pytest.raises(ServerTimeout, match="behind"):
                await stream.send(bytes(round((ledger.BACKLOG_SECONDS + 1) * SECOND)))

    run(test)


def test_silence_that_the_server_has_heard_is_let_go_and_an_utterance_is_kept() -> None:
    """Six minutes of silence pass through room for two; then somebody speaks, and the connection breaks."""
    silence, speech = 360 * SECOND, 40 * SECOND

    async def speak(stream: Stream) -> None:
        await stream.send(bytes(silence))
        await stream.send(numbered(40))
        await stream.finish()

    async def first(talk: Talk) -> None:
        await talk.hear(silence)
        await talk.tell("SpeechStarted", timestamp=360)
        await talk.hear_out()
        for _ in range(3):  # pings go on, and let nothing of the utterance go
            await asyncio.wait_for(await talk.socket.ping(), 10)
            await asyncio.sleep(module.PING_SECONDS)
        talk.drop()

    async def second(talk: Talk) -> None:
        await talk.hear_out()

    async def test() -> None:
        async with LiveServer().running(first, second) as server, AsyncClient(server.url) as client:
            await listened(client.stream(), speak)
        again = bytes(server.talks[1].audio)
        assert again.endswith(numbered(40))
        assert speech < len(again) <= speech + (ledger.CONTEXT_SECONDS + 0.1) * SECOND

    run(test, 60)


def test_who_says_nothing_keeps_the_connection_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEEP_ALIVE_SECONDS", 0.05)

    async def script(talk: Talk) -> None:
        await talk.hear_out("KeepAlive")
        await talk.answer("Still here", 0, 0)
        await talk.hear_out()

    async def test() -> None:
        async with (
            LiveServer().running(script) as server,
            AsyncClient(server.url) as client,
            client.stream() as stream,
        ):
            async for _ in stream:
                await stream.finish()
        assert server.talks[0].told[-1] == "CloseStream"

    run(test)


def test_a_connection_without_a_sign_of_life_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DEAD_SECONDS", 0.2)
    monkeypatch.setattr(module, "PING_SECONDS", 0.1)
    is_back = asyncio.Event()

    async def deaf(talk: Talk) -> None:
        talk.socket.transport.pause_reading()
        await is_back.wait()
        talk.drop()

    async def hearing(talk: Talk) -> None:
        is_back.set()
        await talk.hear_out()

    async def test() -> None:
        async with LiveServer().running(deaf, hearing) as server, AsyncClient(server.url) as client:
            await listened(client.stream(), said(numbered(1)))
        assert bytes(server.talks[1].audio) == numbered(1)

    run(test)


def test_events_that_are_not_taken_wait_and_none_is_lost() -> None:
    many = 10 * module.MOST_EVENTS

    async def script(talk: Talk) -> None:
        for number in range(many):
            await talk.answer(str(number), 0, 0)
            await talk.answer("words", 0, 0, is_final=False)
        await talk.hear_out()

    async def test() -> None:
        async with (
            LiveServer().running(script) as server,
            AsyncClient(server.url) as client,
            client.stream() as stream,
        ):
            await stream.finish()
            while not stream._is_behind:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)
            finals = [event.text async for event in stream if isinstance(event, Final)]
        assert finals == [str(number) for number in range(many)]

    run(test)


def test_leaving_early_closes_the_connection() -> None:
    closed: list[int | None] = []

    async def script(talk: Talk) -> None:
        await talk.answer("One", 0, 0)
        await talk.socket.wait_closed()
        closed.append(talk.socket.close_code)

    async def test() -> None:
        async with (
            LiveServer().running(script) as server,
            AsyncClient(server.url) as client,
            client.stream() as stream,
        ):
            async for _ in stream:
                break
        assert closed == [1000]

    run(test)


def test_after_finish_nothing_can_be_sent() -> None:
    async def test() -> None:
        async with (
            LiveServer().running(close_when_asked) as server,
            AsyncClient(server.url) as client,
            client.stream() as stream,
        ):
            await stream.finish()
            with pytest.raises(RuntimeError, match="open another"):
                await stream.send(b"more")
            assert [event async for event in stream] == []
            assert [event async for event in stream] == []

    run(test)
