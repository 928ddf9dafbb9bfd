"""The real server as a process of its own, started as its owner starts it."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

PROGRAMS = Path(sys.executable).parent
READY = re.compile(r"Sayseek is ready at (\S+)")
START_SECONDS = 120.0


@dataclass
class Server:
    """A running server; `log` is what it has written so far, `folder` where it works."""

    process: subprocess.Popen[str]
    folder: Path
    log: list[str] = field(default_factory=list)
    address: str = ""
    _ready: threading.Event = field(default_factory=threading.Event)

    def follow(self) -> None:
        """Read the log until it ends; runs in a thread."""
        assert self.process.stderr
        for line in self.process.stderr:
            self.log.append(line)
            if match := READY.search(line):
                self.address = match[1]
                self._ready.set()
        self._ready.set()

    def wait_until_ready(self) -> None:
        assert self._ready.wait(START_SECONDS), "the server did not get ready"
        assert self.address, "".join(self.log)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(60)

    # Nothing is verified in plain HTTP, but to load the certificates for it takes 25 ms of CPU time a request.

    def ask(self, data: bytes, **form: object) -> httpx.Response:
        files = {"file": ("clip", data)}
        return httpx.post(f"{self.address}/v1/voice-search", files=files, data=form, timeout=120, verify=False)

    def metric(self, name: str) -> float:
        text = httpx.get(f"{self.address}/metrics", verify=False).text
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))


StartServer = Callable[..., "contextmanager[Server]"]


@pytest.fixture(scope="session")
def start_server(tmp_path_factory: pytest.TempPathFactory, sample_index: Path) -> StartServer:
    """Start a server with these settings; stopped, if it still runs, at the end.

    It works in `folder`, as that is, or in one of its own, where it finds the sample catalogue's index built.
    """

    @contextmanager
    def starting(folder: Path | None = None, **settings: object) -> Iterator[Server]:
        if not folder:
            folder = tmp_path_factory.mktemp("server")
            if "sample_catalogue" not in settings:
                shutil.copytree(sample_index, folder / "sayseek-data/index", symlinks=True)
        temporary = folder / "tmp"
        temporary.mkdir(exist_ok=True)
        flags = [part for name, value in settings.items() for part in (f"--{name.replace('_', '-')}", str(value))]
        process = subprocess.Popen(
            [PROGRAMS / "sayseek-server", "serve", "--port", "0", *flags],
            cwd=folder,
            env={**os.environ, "TMPDIR": str(temporary), "COLUMNS": "200"},
            stderr=subprocess.PIPE,
            text=True,
        )
        server = Server(process, folder)
        threading.Thread(target=server.follow, daemon=True).start()
        try:
            server.wait_until_ready()
            yield server
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(60)

    return starting


@pytest.fixture(scope="session")
def server(start_server: StartServer) -> Iterator[Server]:
    """The server as `make serve` starts it: the default model over the sample catalogue."""
    with start_server() as server:
        yield server
