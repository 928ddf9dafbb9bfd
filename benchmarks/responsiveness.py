"""How soon /healthz answers while the model is busy, and how many clips a second come back meanwhile.

python -m benchmarks.responsiveness RECORDING --server http://127.0.0.1:8000 --clients 8 --seconds 20
"""

import asyncio
import statistics
import time
from pathlib import Path
from typing import Annotated

import httpx
import typer

PAUSE = 0.02  # seconds between two looks at /healthz


async def ask_until(deadline: float, http: httpx.AsyncClient, data: bytes) -> list[float]:
    """Ask one clip after the other; gives each answer's seconds."""
    taken = []
    while time.perf_counter() < deadline:
        started = time.perf_counter()
        (await http.post("/v1/voice-search", files={"file": data})).raise_for_status()
        taken.append(time.perf_counter() - started)
    return taken


async def look_until(deadline: float, http: httpx.AsyncClient) -> list[float]:
    taken = []
    while time.perf_counter() < deadline:
        started = time.perf_counter()
        (await http.get("/healthz")).raise_for_status()
        taken.append(time.perf_counter() - started)
        await asyncio.sleep(PAUSE)
    return taken


async def measure(data: bytes, server: str, clients: int, seconds: float) -> None:
    started = time.perf_counter()
    deadline = started + seconds
    async with httpx.AsyncClient(base_url=server, timeout=120) as http, httpx.AsyncClient(base_url=server) as probe:
        looking = asyncio.create_task(look_until(deadline, probe))
        answers = await asyncio.gather(*(ask_until(deadline, http, data) for _ in range(clients)))
        rate = sum(map(len, answers)) / (time.perf_counter() - started)
        looks = sorted(await looking)
    clips = sorted(second for each in answers for second in each)
    print(f"{clients} clients: {rate:.2f} clips/s, median {1000 * statistics.median(clips):.0f} ms")
    print(
        f"/healthz, {len(looks)} looks: median {1000 * statistics.median(looks):.1f} ms, "
        f"p99 {1000 * looks[int(0.99 * len(looks))]:.1f} ms, worst {1000 * looks[-1]:.1f} ms"
    )


def main(
    recording: Annotated[Path, typer.Argument(help="The clip that every client sends.")],
    server: str = "http://127.0.0.1:8000",
    clients: int = 8,
    seconds: float = 20.0,
) -> None:
    asyncio.run(measure(recording.read_bytes(), server, clients, seconds))


if __name__ == "__main__":
    typer.run(main)
