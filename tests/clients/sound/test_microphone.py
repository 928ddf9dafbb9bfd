"""Where there is no microphone, or nothing to hear it with: what to do is told, and nothing else breaks."""

import os
import subprocess
import sys
from ctypes.util import find_library
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "clients.command.cli"]
# An import that fails as sounddevice's does where its library is missing.
WITHOUT_PORTAUDIO = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name == "sounddevice":
            raise OSError("PortAudio library not found")

sys.meta_path.insert(0, Missing())
from clients.command.cli import main
main()
"""


def run(*command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, capture_output=True, text=True, env=os.environ | environment, timeout=60, check=False
    )


@pytest.mark.skipif(find_library("portaudio") is None, reason="PortAudio is not installed: apt install libportaudio2")
@pytest.mark.skipif(bool(list(Path("/dev").glob("snd/pcm*c"))), reason="there is a microphone")
@pytest.mark.parametrize("arguments", [[], ["--list-devices"], ["--device", "Blue Yeti"], ["--device", "3"]])
def test_without_a_microphone(tmp_path: Path, arguments: list[str]) -> None:
    nothing = {"XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path), "PULSE_SERVER": "none"}
    done = run(*COMMAND, "listen", *arguments, **nothing)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "--file FILE" in done.stderr or f"The microphone {arguments[-1]!r} cannot be opened" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [[], ["--list-devices"]])
def test_without_portaudio(arguments: list[str]) -> None:
    done = run(sys.executable, "-c", WITHOUT_PORTAUDIO, "listen", *arguments)
    assert done.returncode == 1
    assert "apt install libportaudio2" in done.stderr
    assert "Traceback" not in done.stderr


def test_files_need_no_portaudio(nobody: str, question: Path) -> None:
    done = run(sys.executable, "-c", WITHOUT_PORTAUDIO, "listen", "--server", nobody, "--file", str(question))
    assert done.returncode == 3
    assert "make serve" in done.stderr
