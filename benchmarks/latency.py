"""One client at a time: Sayseek through HTTP against faster-whisper in process, on the same clips in alternation.

    pip install -e '.[benchmarks]'
    python -m benchmarks.latency MANIFEST --model base --threads 2 --write

Both run the same weights, greedy, in English; Sayseek also searches, and gives alternatives.
"""

import json
import statistics
import time
from pathlib import Path
from typing import Annotated

import httpx
import typer

from benchmarks.peer import hear, load_peer
from benchmarks.report import bars, machine, percentile, publish, table
from benchmarks.served import served

OURS = "Sayseek, HTTP"


def main(
    manifest: Annotated[Path, typer.Argument(help="JSONL with audio.")],
    model: str = "base",
    threads: int = 2,
    clips: Annotated[int, typer.Option(help="Only so many clips, spread over the manifest.")] = 60,
    peers: Annotated[str, typer.Option(help="faster-whisper's compute types.")] = "int8,float32",
    write: Annotated[bool, typer.Option("--write", help="Put the results into RESULTS.md.")] = False,
) -> None:
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    paths = [manifest.parent / row["audio"] for row in rows[:: max(1, len(rows) // clips)]]
    others = {f"faster-whisper {kind}": load_peer(model, kind, threads) for kind in peers.split(",")}
    seconds: dict[str, list[float]] = {OURS: [], **{name: [] for name in others}}
    with (
        served(model, threads, sample_catalogue="false") as address,
        httpx.Client(base_url=address, timeout=60) as http,
    ):
        ask(http, paths[0])
        for peer in others.values():
            hear(peer, paths[0])
        for path in paths:
            seconds[OURS].append(timed(lambda path=path: ask(http, path)))
            for name, peer in others.items():
                seconds[name].append(timed(lambda path=path, peer=peer: hear(peer, path)))
    publish(f"latency {model}", report(model, threads, seconds), write=write)


def ask(http: httpx.Client, path: Path) -> None:
    http.post("/v1/voice-search", files={"file": path.read_bytes()}).raise_for_status()


def timed(work: object) -> float:
    started = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - started


def report(model: str, threads: int, seconds: dict[str, list[float]]) -> str:
    medians = {name: 1000 * statistics.median(values) for name, values in seconds.items()}
    ends = {name: 1000 * percentile(values, 0.95) for name, values in seconds.items()}
    rows = [
        [
            name,
            f"{medians[name]:.0f}",
            f"{ends[name]:.0f}",
            f"1/{medians[name] / medians[OURS]:.1f}" if name != OURS else "",
            f"1/{ends[name] / ends[OURS]:.1f}" if name != OURS else "",
        ]
        for name in seconds
    ]
    count = len(seconds[OURS])
    return "\n\n".join(
        (
            f"One client, `{model}`, {threads} threads, {count} clips in alternation ({machine()}):",
            table(["", "median, ms", "p95, ms", "Sayseek's median is", "Sayseek's p95 is"], rows),
            bars(medians, "ms"),
        )
    )


if __name__ == "__main__":
    typer.run(main)
