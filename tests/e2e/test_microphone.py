"""From a microphone to the results: what is played into a virtual one is what `sayseek listen` hears."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import IO, Any

import pytest

from tests.e2e.conftest import PROGRAMS, Server
from tests.e2e.test_ask import city_of, folded
from tests.e2e.virtual_microphone import PACKAGES, VirtualMicrophone, missing, virtual_microphone

GIVEN_UP_SECONDS = 90.0

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"apt install {PACKAGES}: there is no {', '.join(missing())}")


@pytest.fixture(scope="module")
def microphone() -> Iterator[VirtualMicrophone]:
    with virtual_microphone() as microphone:
        yield microphone


def final(lines: IO[str]) -> dict[str, Any]:
    """The next final."""
    for line in lines:
        event: dict[str, Any] = json.loads(line)
        if event["type"] == "Final":
            return event
    raise AssertionError("there was no final")


@contextmanager
def listening(
    server: Server, microphone: VirtualMicrophone, endpointing: str
) -> Iterator[tuple["subprocess.Popen[str]", IO[str]]]:
    """`sayseek listen`, once it hears something, with what it prints; it is given up after a while."""
    command = [PROGRAMS / "sayseek", "listen", "--json", "--server", server.address, "--endpointing", endpointing]
    with subprocess.Popen(command, env=microphone.environment, stdout=subprocess.PIPE, text=True) as process:
        giving_up = Timer(GIVEN_UP_SECONDS, process.kill)
        giving_up.start()
        try:
            assert process.stdout
            assert json.loads(process.stdout.readline()) == {"type": "Listening"}
            yield process, process.stdout
        finally:
            giving_up.cancel()
            process.kill()


@pytest.mark.parametrize("endpointing", ["server", "client"])
def test_what_is_said_to_the_microphone_is_found(
    server: Server, microphone: VirtualMicrophone, sample_files: list[Path], endpointing: str
) -> None:
    with listening(server, microphone, endpointing) as (process, lines):
        for file in sample_files[0], sample_files[-2]:
            microphone.play(file)
            heard = final(lines)
            assert city_of(file) in folded(heard["results"][0]["title"]), heard
        process.send_signal(signal.SIGINT)
        rest = [json.loads(line)["type"] for line in lines]
        assert process.wait(30) == 0
    assert ("Sent" in rest) is (endpointing == "client")


def test_ctrl_c_in_mid_sentence_gives_what_was_said(
    server: Server, microphone: VirtualMicrophone, sample_files: list[Path]
) -> None:
    with listening(server, microphone, "client") as (process, lines):
        microphone.play(sample_files[0])
        process.send_signal(signal.SIGINT)  # before the silence that would have ended it
        assert city_of(sample_files[0]) in folded(final(lines)["results"][0]["title"])
        assert json.loads(lines.read().splitlines()[-1])["type"] == "Sent"
        assert process.wait(30) == 0


def test_the_microphone_is_listed(microphone: VirtualMicrophone) -> None:
    command = [PROGRAMS / "sayseek", "listen", "--list-devices"]
    listed = subprocess.run(command, env=microphone.environment, capture_output=True, text=True, check=True)
    assert [line for line in listed.stdout.splitlines() if line.startswith("*")]
    assert "pulse" in listed.stdout
