"""What may well be something else is told as such on every way in; results of it come only where they are asked for.

The server here is hardly ever sure.
"""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import soundfile

from clients.async_client import AsyncClient
from clients.client import Client
from clients.live.events import Final
from tests.e2e.conftest import PROGRAMS, Server, StartServer
from tests.e2e.listening import listening, text

CLIP = Path(__file__).parents[2] / "samples" / "coffee-in-toronto.flac"
ASKED = [False, True]


@pytest.fixture(scope="module")
def server(start_server: StartServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with start_server(tmp_path_factory.mktemp("unsure"), model="tiny.en", unsure_below=1.0) as server:
        yield server


def spoken() -> bytes:
    return soundfile.read(CLIP, dtype="int16")[0].tobytes()


@pytest.mark.parametrize("asked", ASKED)
def test_over_http(server: Server, asked: bool) -> None:
    form = {"unsure_results": "true"} if asked else {}
    files = {"file": CLIP.read_bytes()}
    answer = httpx.post(f"{server.address}/v1/voice-search", files=files, data=form, timeout=60).json()
    assert answer["quality"]["verdict"] == "unsure"
    assert answer["transcript"]["text"]
    assert bool(answer["results"]) is asked


@pytest.mark.parametrize("asked", ASKED)
def test_live(server: Server, asked: bool) -> None:
    with listening(server, **({"unsure_results": "true"} if asked else {})) as listener:
        listener.send(spoken())
        assert listener.close_stream() == 1000
    final = listener.finals[0]
    assert final["unsure"]
    assert text(final)
    assert bool(final.get("search") and final["search"]["results"]) is asked


@pytest.mark.parametrize("asked", ASKED)
def test_the_python_client(server: Server, asked: bool) -> None:
    with Client(server.address) as client:
        answer = client.voice_search(CLIP, unsure_results=asked)
    assert answer.quality.verdict == "unsure"
    assert bool(answer.results) is asked


@pytest.mark.parametrize("asked", ASKED)
def test_a_stream_of_the_python_client(server: Server, asked: bool) -> None:
    async def finals_of() -> list[Final]:
        async with AsyncClient(server.address) as client, client.stream(unsure_results=asked) as stream:
            await stream.send(spoken())
            await stream.finish()
            return [event async for event in stream if isinstance(event, Final)]

    finals = asyncio.run(finals_of())
    assert finals[0].unsure
    assert bool(finals[0].results) is asked


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("command", [["ask"], ["listen", "--file"]])
def test_the_commands(server: Server, command: list[str], asked: bool) -> None:
    name, *option = command
    arguments = [name, "--json", "--server", server.address, *(["--unsure-results"] if asked else []), *option, CLIP]
    done = subprocess.run([PROGRAMS / "sayseek", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    if name == "ask":
        found = told[0]["answer"]
        assert found["quality"]["verdict"] == "unsure"
    else:
        found = next(event for event in told if event["type"] == "Final")
        assert found["unsure"]
    assert bool(found["results"]) is asked


def test_people_are_told_that_it_is_unsure(server: Server) -> None:
    done = subprocess.run(
        [PROGRAMS / "sayseek", "ask", "--server", server.address, CLIP],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "not sure" in done.stdout
