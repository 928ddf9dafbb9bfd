"""A microphone without hardware: what is played into PulseAudio's null sink comes out of its default source."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes.util import find_library
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

PACKAGES = "pulseaudio pulseaudio-utils libasound2-plugins libportaudio2"  # of Debian and Ubuntu
SCRIPT = """\
load-module module-native-protocol-unix
load-module module-null-sink sink_name=vspk
load-module module-remap-source source_name=vmic master=vspk.monitor
set-default-sink vspk
set-default-source vmic
"""


def missing() -> list[str]:
    """What of it is not installed here."""
    programs = [name for name in ("pulseaudio", "paplay") if not shutil.which(name)]
    plugins = [] if any(Path("/usr/lib").glob("**/libasound_module_pcm_pulse.so")) else ["ALSA's plugin for PulseAudio"]
    return programs + plugins + ([] if find_library("portaudio") else ["PortAudio"])


@dataclass(frozen=True)
class VirtualMicrophone:
    """`environment` is for the programs that are to hear it."""

    environment: dict[str, str]

    def play(self, file: Path) -> None:
        """Play a recording into it, to its end, and a moment of silence: what is last is heard a little later."""
        samples, rate = soundfile.read(file, dtype="int16")
        samples = np.concatenate([samples, np.zeros(round(0.3 * rate), np.int16)])
        wav = Path(self.environment["HOME"]) / "play.wav"
        soundfile.write(wav, samples, rate)
        subprocess.run(["paplay", "--device=vspk", wav], env=self.environment, check=True, timeout=60)


@contextmanager
def virtual_microphone() -> Iterator[VirtualMicrophone]:
    """A PulseAudio of its own, which neither sees nor disturbs another; its sockets need a short path."""
    with tempfile.TemporaryDirectory(prefix="mic", ignore_cleanup_errors=True) as folder:
        script = Path(folder) / "script.pa"
        script.write_text(SCRIPT)
        outside = {name: value for name, value in os.environ.items() if not name.startswith("PULSE_")}
        environment = {**outside, "XDG_RUNTIME_DIR": folder, "HOME": folder}
        start = ["pulseaudio", "-n", "--daemonize=yes", "--exit-idle-time=-1", "-F", str(script)]
        subprocess.run(start, env=environment, capture_output=True, check=True, timeout=60)  # returns once it is up
        try:
            yield VirtualMicrophone(environment)
        finally:
            subprocess.run(["pulseaudio", "--kill"], env=environment, capture_output=True, check=True, timeout=60)
