"""Many clients at once, through HTTP: how many clips a second come back, and how soon.

    pip install -e '.[benchmarks]'
    python -m benchmarks.throughput MANIFEST --model base --threads 2 --write

Closed loop: so many clients, each asking again as soon as it is answered, or when it was told to where it is refused.
The rounds alternate with faster-whisper, which hears one clip after the other in process. Open loop: clips arrive at
random times (Poisson) at shares of the closed loop's rate, also far beyond it, and nobody asks twice.
"""

import asyncio
import itertools
import json
import random
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import faster_whisper
import httpx
import typer

from benchmarks.peer import GREEDY, hear, load_peer
from benchmarks.report import bars, machine, percentile, publish, table
from benchmarks.served import served

FORM = {"Content-Type": "multipart/form-data; boundary=clip"}


@dataclass
class Outcome:
    """What came of a load: seconds of each answer, how many of each status, and over how long."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    retry_after: list[float] = field(default_factory=list)
    duration: float = 0.0

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.seconds) / self.duration


def main(
    manifest: Annotated[Path, typer.Argument(help="JSONL with audio.")],
    model: str = "base",
    threads: int = 2,
    clients: int = 16,
    round_seconds: Annotated[float, typer.Option(help="Of each round, of which there are three.")] = 15.0,
    open_loop: Annotated[str, typer.Option(help="Arrivals, as shares of the closed loop's rate.")] = "0.5,0.8,5",
    write: Annotated[bool, typer.Option("--write", help="Put the results into RESULTS.md.")] = False,
) -> None:
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    paths = [manifest.parent / row["audio"] for row in rows]
    peer = load_peer(model, "int8", threads)
    batched = faster_whisper.BatchedInferencePipeline(peer)
    with served(model, threads, sample_catalogue="false") as address:
        clips = itertools.cycle([as_form(path) for path in paths])
        warm_up = asyncio.run(closed(address, clips, clients, 3.0))
        print(f"warm: {warm_up.rate:.1f} clips/s")
        rounds, alone, piped = [], [], []
        turns = itertools.cycle(paths)
        for _ in range(3):
            rounds.append(asyncio.run(closed(address, clips, clients, round_seconds)))
            alone.append(one_by_one(lambda path: hear(peer, path), turns, round_seconds))
            piped.append(one_by_one(lambda path: hear_batched(batched, path), turns, round_seconds))
            print(f"{rounds[-1].rate:.2f} clips/s, peer {alone[-1]:.2f}, its batched pipeline {piped[-1]:.2f}")
        capacity = statistics.median(outcome.rate for outcome in rounds)
        loads = {
            share: asyncio.run(opened(address, clips, share * capacity, round_seconds))
            for share in map(float, open_loop.split(","))
        }
    text = report(model, threads, clients, rounds, statistics.median(alone), statistics.median(piped), loads)
    publish(f"throughput {model}", text, write=write)


def as_form(path: Path) -> bytes:
    """A request's body, made before the clock runs: the load must not take the time of what it measures."""
    request = httpx.Request("POST", "http://localhost", files={"file": path.read_bytes()}, headers=FORM)
    return request.read()


async def ask(http: httpx.AsyncClient, clip: bytes, outcome: Outcome) -> float:
    """Gives the seconds to wait before asking again."""
    started = time.perf_counter()
    response = await http.post("/v1/voice-search", content=clip, headers=FORM)
    outcome.statuses[response.status_code] += 1
    if response.status_code == 200:
        outcome.seconds.append(time.perf_counter() - started)
        return 0.0
    wait = float(response.headers.get("retry-after", 1))
    outcome.retry_after.append(wait)
    return wait


async def closed(address: str, clips: Iterator[bytes], clients: int, seconds: float) -> Outcome:
    outcome, started = Outcome(), time.perf_counter()
    limits = httpx.Limits(max_connections=clients)
    async with httpx.AsyncClient(base_url=address, timeout=120, limits=limits) as http:

        async def client() -> None:
            while time.perf_counter() < started + seconds:
                told_to_wait = await ask(http, next(clips), outcome)
                await asyncio.sleep(told_to_wait)

        await asyncio.gather(*(client() for _ in range(clients)))
    outcome.duration = time.perf_counter() - started
    return outcome


async def opened(address: str, clips: Iterator[bytes], rate: float, seconds: float) -> Outcome:
    outcome, started, arrivals = Outcome(), time.perf_counter(), random.Random(0)
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=address, timeout=120, limits=limits) as http, asyncio.TaskGroup() as tasks:
        due = started
        while due < started + seconds:
            await asyncio.sleep(due - time.perf_counter())
            tasks.create_task(ask(http, next(clips), outcome))
            due += arrivals.expovariate(rate)
    outcome.duration = time.perf_counter() - started
    return outcome


def one_by_one(work: object, paths: Iterator[Path], seconds: float) -> float:
    """Clips a second."""
    started, count = time.perf_counter(), 0
    while time.perf_counter() < started + seconds:
        work(next(paths))  # type: ignore[operator]
        count += 1
    return count / (time.perf_counter() - started)


def hear_batched(pipeline: faster_whisper.BatchedInferencePipeline, path: Path) -> str:
    options = {name: value for name, value in GREEDY.items() if name != "condition_on_previous_text"}
    segments, _ = pipeline.transcribe(str(path), batch_size=16, vad_filter=True, **options)
    return "".join(segment.text for segment in segments).strip()


def milliseconds(seconds: list[float], share: float) -> str:
    return f"{1000 * percentile(seconds, share):.0f} ms"


def report(
    model: str,
    threads: int,
    clients: int,
    rounds: list[Outcome],
    alone: float,
    piped: float,
    loads: dict[float, Outcome],
) -> str:
    rate = statistics.median(outcome.rate for outcome in rounds)
    seconds = [second for outcome in rounds for second in outcome.seconds]
    refused = sum(len(outcome.retry_after) for outcome in rounds)
    names = {
        f"Sayseek, {clients} clients": rate,
        "faster-whisper int8, one after the other": alone,
        "faster-whisper int8, batched pipeline": piped,
    }
    rows = [[name, f"{value:.2f}", f"{rate / value:.1f}"] for name, value in names.items()]
    open_rows = [
        [
            f"{share:g}",
            f"{outcome.rate:.1f}",
            f"{1000 * statistics.median(outcome.seconds):.0f}",
            f"{1000 * percentile(outcome.seconds, 0.95):.0f}",
            ", ".join(f"{count} × {status}" for status, count in sorted(outcome.statuses.items())),
            f"{statistics.median(outcome.retry_after):.0f} s" if outcome.retry_after else "",
        ]
        for share, outcome in loads.items()
    ]
    return "\n\n".join(
        (
            f"Closed loop, `{model}`, {threads} threads ({machine()}):",
            table(["", "clips/s", "Sayseek is … times faster"], rows),
            f"Sayseek's answers: median {milliseconds(seconds, 0.5)}, p95 {milliseconds(seconds, 0.95)}.",
            f"Refused {refused} times.",
            bars(names, "clips/s"),
            "Open loop:",
            table(["arrivals / capacity", "answered/s", "median, ms", "p95, ms", "statuses", "Retry-After"], open_rows),
        )
    )


if __name__ == "__main__":
    typer.run(main)
