"""A server of our own to measure: started as a process, with an index that is thrown away."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from asr.runtime.cpu_shares import allocate_cpus


@dataclass(frozen=True)
class Served:
    """A server that is ready; `log` has the lines it has written since, and grows."""

    address: str
    pid: int
    log: list[str]


@contextmanager
def serving(model: str, threads: int, **settings: str) -> Iterator[Served]:
    """A server that is ready, as one with so many cores would be; `settings` as in SAYSEEK_*."""
    program = Path(sys.executable).with_name("sayseek-server")
    shares = allocate_cpus(threads)
    flags = {"model": model, "replicas": str(shares.replicas), "threads": str(shares.threads), "port": "0", **settings}
    command = [str(program), "serve", "--log-level", "warning"]
    for name, value in flags.items():
        command += ["--" + name.replace("_", "-"), value]
    # What it compiles is kept where an owner's server keeps it.
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(command, cwd=folder, env=os.environ, stderr=subprocess.PIPE, text=True)
        assert process.stderr
        log: list[str] = []
        try:
            address = next(match[1] for line in process.stderr if (match := re.search(r"ready at (\S+)", line)))
            # Somebody has to read on: a server whose pipe is full stands still.
            Thread(target=log.extend, args=(process.stderr,), daemon=True).start()
            yield Served(address, process.pid, log)
        finally:
            process.terminate()
            process.wait()


@contextmanager
def served(model: str, threads: int, **settings: str) -> Iterator[str]:
    """The address of a server that is ready."""
    with serving(model, threads, **settings) as server:
        yield server.address
