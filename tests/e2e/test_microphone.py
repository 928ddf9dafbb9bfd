"""From a microphone to the results: what is played into a virtual one is what `sayseek listen` hears."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from tests.e2e.conftest import PROGRAMS, Server
from tests.e2e.test_ask import city_of, folded
from tests.e2e.virtual_microphone import PACKAGES, VirtualMicrophone, missing, virtual_microphone

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


@pytest.mark.parametrize("endpointing", ["server", "client"])
def test_what_is_said_to_the_microphone_is_found(
    server: Server, microphone: VirtualMicrophone, sample_files: list[Path], endpointing: str
) -> None:
    command = [PROGRAMS / "sayseek", "listen", "--json", "--server", server.address, "--endpointing", endpointing]
    with subprocess.Popen(command, env=microphone.environment, stdout=subprocess.PIPE, text=True) as listening:
        try:
            assert listening.stdout
            microphone.wait_for_listener()
            for file in sample_files[0], sample_files[-2]:
                microphone.play(file)
                heard = final(listening.stdout)
                assert city_of(file) in folded(heard["results"][0]["title"]), heard
            listening.send_signal(signal.SIGINT)
            rest = [json.loads(line) for line in listening.stdout]
            assert listening.wait(30) == 0
        finally:
            listening.kill()
    assert [event["type"] for event in rest if event["type"] == "Sent"] == ["Sent"] * (endpointing == "client")


def test_ctrl_c_in_mid_sentence_gives_what_was_said(
    server: Server, microphone: VirtualMicrophone, sample_files: list[Path]
) -> None:
    command = [PROGRAMS / "sayseek", "listen", "--json", "--server", server.address, "--endpointing", "client"]
    with subprocess.Popen(command, env=microphone.environment, stdout=subprocess.PIPE, text=True) as listening:
        try:
            assert listening.stdout
            microphone.wait_for_listener()
            microphone.play(sample_files[0])
            listening.send_signal(signal.SIGINT)  # before the silence that would have ended it
            assert city_of(sample_files[0]) in folded(final(listening.stdout)["results"][0]["title"])
            assert listening.stdout.read().splitlines()[-1].startswith('{"type": "Sent"')
            assert listening.wait(30) == 0
        finally:
            listening.kill()


def test_the_microphone_is_listed(microphone: VirtualMicrophone) -> None:
    command = [PROGRAMS / "sayseek", "listen", "--list-devices"]
    listed = subprocess.run(command, env=microphone.environment, capture_output=True, text=True, check=True)
    assert [line for line in listed.stdout.splitlines() if line.startswith("*")]
    assert "pulse" in listed.stdout
