"""Both clients, through one suite, against a real server."""

import asyncio
import gzip
import inspect
import io
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response

from clients.async_client import AsyncClient
from clients.client import Client
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
)
from clients.protocol import BATCH_BYTES
from clients.retries import NO_RETRIES
from tests.clients.server import RESULT, BreaksOff, Drips, FakeServer, Never, error

NOW = "0"  # a Retry-After that costs no time


class InALoop:
    """An `AsyncClient` that can be called like a `Client`: every call runs to its end in one event loop."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._runner = asyncio.Runner()
        self._client = AsyncClient(*arguments, **options)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *arguments, **options: self._runner.run(getattr(self._client, name)(*arguments, **options))

    def close(self) -> None:
        self._runner.run(self._client.close())
        self._runner.close()


@pytest.fixture(params=[Client, InALoop], ids=["Client", "AsyncClient"])
def connect(request: pytest.FixtureRequest) -> Iterator[Callable[..., Client]]:
    """Makes clients; closed at the end."""
    made = []

    def connecting(*arguments: Any, **options: Any) -> Client:
        made.append(request.param(*arguments, **options))
        return made[-1]

    yield connecting
    for client in made:
        client.close()


@pytest.fixture
def client(connect: Callable[..., Client], server: FakeServer) -> Client:
    return connect(server.url)


def test_a_clip_is_answered_with_transcript_and_results(client: Client, server: FakeServer) -> None:
    answer = client.voice_search(b"sound", language="en", limit=5, alternatives=0, model="base")
    assert answer.transcript.text == "Hotels in Reykjavik"
    assert answer.transcript.alternatives[0].confidence == 0.41
    assert answer.results[0].title == "Reykjavík"
    assert answer.results[0].fields == {"country": "Iceland"}
    assert answer.quality.verdict == "ok"
    assert answer.timings == {"audio_ms": 3, "total_ms": 59.5}
    (received,) = server.received
    assert received.form == {"language": "en", "limit": "5", "alternatives": "0", "model": "base"}


def test_what_is_not_asked_for_is_left_to_the_server(client: Client, server: FakeServer) -> None:
    client.voice_search(b"sound")
    assert server.received[0].form == {}


def test_clips_are_bytes_or_paths_or_open_files(client: Client, server: FakeServer, question: Path) -> None:
    sound = question.read_bytes()
    client.voice_search(sound)
    client.voice_search(sound, filename="mine.flac")
    client.voice_search(question)
    client.voice_search(str(question))
    client.voice_search(io.BytesIO(sound))
    with question.open("rb") as file:
        client.voice_search(file)
    names = ["clip", "mine.flac", question.name, question.name, "clip", question.name]
    assert [received.clip for received in server.received] == [(sound, name) for name in names]


def test_a_file_that_is_not_there_is_pythons_own_error(client: Client, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        client.voice_search(tmp_path / "nothing.wav")


def test_what_is_asked_of_a_search_travels_with_it(client: Client, server: FakeServer) -> None:
    asked = {"filters": ["country:IS", "price:10.."], "facets": ["country"], "index": "teas", "snippets": True}
    client.voice_search(b"sound", keywords=["New York", "Akureyri:2"], **asked)
    client.search("tea", offset=20, **asked)
    client.search(filters=["country:IS"])
    spoken, typed, filtered = server.received
    for received in (spoken.form, typed.query):
        assert {name: received[name] for name in ("facets", "index", "snippets")} == {
            "facets": "country",
            "index": "teas",
            "snippets": "true",
        }
    assert spoken.filters == typed.filters == asked["filters"]
    assert spoken.keywords == ["New York", "Akureyri:2"]
    assert typed.query["offset"] == "20"
    assert filtered.query == {"q": "", "filter": "country:IS"}
    with pytest.raises(ValueError, match="lists"):
        client.search("tea", filters="country:IS")
    with pytest.raises(ValueError, match="lists"):
        AsyncClient(server.url).stream(filters="country:IS")
    with pytest.raises(ValueError, match="lists"):
        client.voice_search(b"sound", keywords="Akureyri:2")


def test_documents_of_another_catalogue(client: Client, server: FakeServer) -> None:
    client.put_documents([{"id": "1", "title": "One"}], index="teas")
    client.get_document("1", index="teas")
    client.delete_document("1", index="teas")
    assert [received.query for received in server.received] == [{"index": "teas"}] * 3


def test_a_catalogue_is_replaced_in_one_request(client: Client, server: FakeServer) -> None:
    body = "x" * 5_000_000
    assert client.replace_documents({"id": str(i), "title": "t", "body": body} for i in range(2)) == 2
    client.replace_documents([], index="teas", allow_empty=True)
    assert [received.query for received in server.received] == [
        {"replace": "true"},
        {"index": "teas", "replace": "true", "allow_empty": "true"},
    ]
    assert server.received[1].body == b"[]"


def test_typed_search(client: Client, server: FakeServer) -> None:
    answer = client.search("o'hare & co", limit=3)
    assert answer.query == "o'hare & co"
    assert answer.results[0].id == RESULT["id"]
    assert server.received[0].query == {"q": "o'hare & co", "limit": "3"}


def test_documents_are_put_and_fetched_and_deleted(client: Client) -> None:
    odd = {"id": "a/b c?#é", "title": "Odd \u2028 and ends", "year": 1}
    assert client.put_documents([odd, {"id": "2", "title": "Two"}]) == 2
    assert client.get_document("a/b c?#é") == odd
    client.delete_document("a/b c?#é")
    with pytest.raises(NotFound):
        client.get_document("a/b c?#é")
    with pytest.raises(NotFound):
        client.delete_document("a/b c?#é")


def test_many_documents_travel_in_several_requests(client: Client, server: FakeServer) -> None:
    body = "x" * 10_000
    assert client.put_documents({"id": str(i), "title": "t", "body": body} for i in range(1000)) == 1000
    assert len(server.received) == 3
    assert max(len(received.body) for received in server.received) < BATCH_BYTES + 20_000
    assert len(server.documents) == 1000


def test_no_documents_need_no_request(client: Client, server: FakeServer) -> None:
    assert client.put_documents([]) == 0
    assert server.received == []


def test_ready_is_asked_once(client: Client, server: FakeServer) -> None:
    server.answers.append(error(503, Retry_After="60"))
    assert client.ready() is False
    assert client.ready() is True


def test_the_key_is_sent_and_never_shown(connect: Callable[..., Client], server: FakeServer) -> None:
    client = connect(server.url, api_key=" hush\n")
    client.search("x")
    assert server.received[0].headers["authorization"] == "Bearer hush"
    assert "hush" not in repr(client)


def test_address_and_key_come_from_the_environment(
    connect: Callable[..., Client], server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAYSEEK_SERVER", server.url + "/behind/a/proxy/")
    monkeypatch.setenv("SAYSEEK_API_KEY", "hush")
    with pytest.raises(NotFound):
        connect().search("x")
    assert server.received[0].path == "/behind/a/proxy/v1/search"
    assert server.received[0].headers["authorization"] == "Bearer hush"


def test_a_busy_server_is_asked_again_when_it_says(client: Client, server: FakeServer) -> None:
    server.answers += [error(503, Retry_After=NOW), error(429, Retry_After=NOW)]
    assert client.voice_search(b"sound").transcript.text == "Hotels in Reykjavik"
    assert [received.clip for received in server.received] == [(b"sound", "clip")] * 3


def test_a_server_that_stays_busy_is_told(client: Client, server: FakeServer) -> None:
    server.answers += [error(503, "The queue is full.", "overloaded", Retry_After=NOW)] * 3
    with pytest.raises(Busy, match="The queue is full") as caught:
        client.search("x")
    assert (caught.value.status, caught.value.code, caught.value.retry_after) == (503, "overloaded", 0)
    assert len(server.received) == 3


def test_a_wait_longer_than_the_clients_patience_is_not_begun(client: Client, server: FakeServer) -> None:
    server.answers.append(error(503, Retry_After="3600"))
    with pytest.raises(Busy) as caught:
        client.search("x")
    assert caught.value.retry_after == 3600
    assert len(server.received) == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, InvalidRequest), (401, NotAuthorized), (403, NotAuthorized), (404, NotFound), (413, InvalidRequest)],
)
def test_a_request_at_fault_is_never_sent_again(
    client: Client, server: FakeServer, status: int, kind: type[ServerError]
) -> None:
    server.answers.append(error(status, "The clip is too long. Send at most 300 s.", "audio_too_long", Retry_After=NOW))
    with pytest.raises(kind) as caught:
        client.voice_search(b"sound")
    assert type(caught.value) is kind
    assert str(caught.value) == "The clip is too long. Send at most 300 s."
    assert (caught.value.status, caught.value.code) == (status, "audio_too_long")
    assert (caught.value.type, caught.value.param) == ("invalid_request_error", "file")
    assert len(server.received) == 1


def test_a_failure_of_the_server_is_no_fault_of_the_request(client: Client, server: FakeServer) -> None:
    server.answers.append(error(500, "The server failed."))
    with pytest.raises(ServerError, match="The server failed") as caught:
        client.search("x")
    assert not isinstance(caught.value, InvalidRequest | Busy)


@pytest.mark.parametrize(
    "body",
    [b"<html>Bad</html>", b"[1]", b'{"error": "odd"}', b'{"error": {"message": 5}}', b"\xff\xfe", b"[" * 100_000],
)
def test_errors_from_whatever_is_in_between_are_told_by_status(client: Client, server: FakeServer, body: bytes) -> None:
    server.answers.append(Response(body, 502))
    with pytest.raises(ServerError, match=r"/v1/search.* answered 502 Bad Gateway"):
        client.search("x")


def test_a_redirect_says_where_to(client: Client, server: FakeServer) -> None:
    server.answers.append(Response(status_code=301, headers={"Location": "https://example.org/v1/search"}))
    with pytest.raises(ServerError, match=r"It points to https://example\.org/v1/search: use that address"):
        client.search("x")


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Welcome to nginx</html>",
        b"",
        b"[]",
        b'{"query": "x"}',
        b"{}",
        b"[" * 100_000,
        b'{"query": "x", "results": [], "timings": {"total_ms": NaN}}',
        b'{"query": "x", "results": [], "timings": {"total_ms": 1e999}}',
        b'{"query": "x", "results": [], "timings": {"total_ms": 1%s}}' % (b"0" * 400),
    ],
    ids=range(9),
)
def test_a_success_that_is_no_answer_is_told(client: Client, server: FakeServer, body: bytes) -> None:
    server.answers.append(Response(body))
    with pytest.raises(MalformedAnswer, match="Sayseek"):
        client.search("x")


def test_nobody_at_the_address(connect: Callable[..., Client], nobody: str) -> None:
    with pytest.raises(ServerUnreachable, match=f"No answer from {nobody}"):
        connect(nobody, retry=NO_RETRIES).search("x")


def test_https_where_there_is_only_http(connect: Callable[..., Client], server: FakeServer) -> None:
    """The message was OpenSSL's: wrong version number."""
    address = server.url.replace("http:", "https:")
    with pytest.raises(MalformedAnswer, match="write its address with http://"):
        connect(address).search("x")


def test_an_answer_that_breaks_off(connect: Callable[..., Client], server: FakeServer) -> None:
    server.answers.append(BreaksOff())
    with pytest.raises(ServerUnreachable, match="broke off"):
        connect(server.url, retry=NO_RETRIES).search("x")


def test_an_answer_that_breaks_off_is_asked_for_again(client: Client, server: FakeServer) -> None:
    server.answers.append(BreaksOff())
    assert client.search("x").query == "x"


def test_a_slow_answer_is_given_up_and_not_asked_for_again(connect: Callable[..., Client], server: FakeServer) -> None:
    server.answers.append(Never())
    with pytest.raises(ServerTimeout, match="did not answer in time"):
        connect(server.url, timeout=0.2).search("x")
    assert len(server.received) == 1


def test_an_answer_that_drips_is_given_up(connect: Callable[..., Client], server: FakeServer) -> None:
    """Every part of it was in time, and the whole never came to an end.

    The client's own limit says when. A limit that began anew, once or more, would take at least twice as long. To the
    limit comes what an answer takes that does not drip, measured first.
    """
    timeout = 1.0
    started = time.monotonic()
    connect(server.url, timeout=timeout).search("x")
    plain = time.monotonic() - started
    server.answers.append(Drips())
    started = time.monotonic()
    with pytest.raises(ServerTimeout, match="did not answer in time"):
        connect(server.url, timeout=timeout).search("x")
    assert timeout <= time.monotonic() - started < 2 * timeout + plain


def test_an_answer_without_end_does_not_fill_the_memory(
    client: Client, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clients.protocol.LARGEST_ANSWER", 5_000_000)
    packed = gzip.compress(bytes(50_000_000), 1)
    server.answers.append(Response(packed, headers={"Content-Encoding": "gzip"}))
    with pytest.raises(MalformedAnswer, match="More than 5,000,000 bytes"):
        client.search("x")


def test_headers_may_hold_any_bytes(client: Client, server: FakeServer) -> None:
    server.answers.append(Response(b"{}", 400, headers={"Retry-After": "²"}))
    with pytest.raises(InvalidRequest):
        client.search("x")


def test_answers_may_be_packed(client: Client, server: FakeServer) -> None:
    packed = gzip.compress(json.dumps({"query": "x", "results": [], "timings": {"total_ms": 1}}).encode())
    server.answers.append(Response(packed, headers={"Content-Encoding": "gzip"}))
    assert client.search("x").query == "x"


@pytest.mark.parametrize(
    ("options", "mend"),
    [
        ({"base_url": "localhost:8000"}, "write it as http://localhost:8000"),
        ({"base_url": "ftp://localhost"}, "write it as http://localhost:8000"),
        ({"base_url": "http://[::1"}, "is not an address"),
        ({"base_url": "http://localhost:8000?model=base"}, "write it as http://localhost:8000"),
        ({"base_url": "http://a..b"}, "is not an address"),
        ({"base_url": "http://xn--a"}, "is not an address"),
        ({"base_url": f"http://{'a' * 64}"}, "is not an address"),
        ({"base_url": "http://localhost:65536"}, "from 1 to 65535"),
        ({"timeout": 0}, "more than 0 and at most 86400"),
        ({"timeout": float("nan")}, "more than 0 and at most 86400"),
        ({"timeout": float("inf")}, "more than 0 and at most 86400"),
        ({"api_key": "se\ncret"}, "copy it again"),
        ({"api_key": "schlüssel"}, "copy it again"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: dict[str, Any], mend: str) -> None:
    for kind in (Client, AsyncClient):
        with pytest.raises(ValueError, match=mend) as caught:
            kind(**options)
        assert "cret" not in str(caught.value)


def test_a_with_block_closes_the_client(server: FakeServer) -> None:
    with Client(server.url) as client:
        client.search("x")
    with pytest.raises(RuntimeError, match="closed"):
        client.search("x")


def test_an_async_with_block_closes_the_client(server: FakeServer) -> None:
    async def closed() -> AsyncClient:
        async with AsyncClient(server.url) as client:
            await client.search("x")
        return client

    with pytest.raises(RuntimeError, match="closed"):
        asyncio.run(asyncio.run(closed()).search("x"))


def test_many_questions_at_once_share_an_async_client(server: FakeServer) -> None:
    async def ask() -> list[str]:
        async with AsyncClient(server.url) as client:
            answers = await asyncio.gather(*(client.search(str(number)) for number in range(20)))
        return [answer.query for answer in answers]

    assert asyncio.run(ask()) == [str(number) for number in range(20)]


def test_both_clients_take_the_same_arguments() -> None:
    for name in ("__init__", "voice_search", "search", "put_documents", "get_document", "delete_document", "ready"):
        assert inspect.signature(getattr(Client, name)) == inspect.signature(getattr(AsyncClient, name))


def test_every_error_is_a_sayseek_error() -> None:
    for kind in (ServerUnreachable, ServerTimeout, MalformedAnswer, ServerError):
        assert issubclass(kind, SayseekError)
