"""From the start of the process to its first answer, and the memory it then holds.

    python -m benchmarks.startup RECORDING --runs 3

A cold start needs the files out of the page cache: `--cold` drops it first, which takes root.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import httpx
import psutil
import typer


def main(
    recording: Annotated[Path, typer.Argument(help="The first clip that is sent.")],
    runs: int = 3,
    cold: bool = False,
    model: str = "base",
) -> None:
    data = recording.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        print("nothing indexed, nothing compiled:", first_answer(data, model, folder, cold))
        for _ in range(runs):
            print("with both there:", first_answer(data, model, folder, cold))


def first_answer(data: bytes, model: str, folder: str, cold: bool) -> str:
    if cold:
        os.sync()
        Path("/proc/sys/vm/drop_caches").write_text("3")
    program = Path(sys.executable).with_name("sayseek-server")
    started = time.monotonic()
    command = [program, "serve", "--port", "0", "--model", model, "--compiled-code", Path(folder) / "compiled"]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    try:
        address = next(match[1] for line in process.stderr if (match := re.search(r"ready at (\S+)", line)))
        ready = time.monotonic() - started
        response = httpx.post(f"{address}/v1/voice-search", files={"file": data}, timeout=60).raise_for_status()
        answered = time.monotonic() - started
        for _ in range(20):
            httpx.post(f"{address}/v1/voice-search", files={"file": data}, timeout=60)
        memory = psutil.Process(process.pid).memory_info().rss / 1e9
    finally:
        process.terminate()
        process.wait()
    heard = response.json()["transcript"]["text"]
    return f"ready {ready:.1f} s, first answer {answered:.1f} s, {memory:.2f} GB after 20 more ({heard!r})"


if __name__ == "__main__":
    typer.run(main)
