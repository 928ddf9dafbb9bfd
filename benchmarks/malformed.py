"""Malformed uploads against a running server: what they are answered, and which took longest.

python -m benchmarks.malformed RECORDING --server http://127.0.0.1:8000 --count 500
"""

import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import httpx
import typer

from asr.audio.decode import decode_audio
from tests.e2e.malformed import malformed_uploads


def main(
    recording: Annotated[Path, typer.Argument(help="Speech that the uploads are made from.")],
    server: str = "http://127.0.0.1:8000",
    count: int = 500,
) -> None:
    statuses: Counter[int] = Counter()
    slowest: list[tuple[float, str, int]] = []
    with httpx.Client(base_url=server, timeout=60) as client:
        for name, data in malformed_uploads(decode_audio(recording.read_bytes()).samples, count):
            started = time.perf_counter()
            response = client.post("/v1/voice-search", files={"file": ("clip", data)})
            slowest.append((time.perf_counter() - started, name, response.status_code))
            statuses[response.status_code] += 1
    print(f"{count} uploads: " + ", ".join(f"{n} x {status}" for status, n in sorted(statuses.items())))
    print("slowest: " + "; ".join(f"{s:.2f} s {name} ({code})" for s, name, code in sorted(slowest, reverse=True)[:5]))


if __name__ == "__main__":
    typer.run(main)
