"""Whether `auto` chooses well: every setting that could be chosen by hand, on the same clips in alternation.

    python -m benchmarks.arithmetics MANIFEST --model base --threads 2 --write

In process, one clip after the other. What is hopelessly slow hears the first clips only.
"""

import json
import statistics
from pathlib import Path
from typing import Annotated

import torch
import typer

from asr.engine.engine import Engine
from asr.runtime.choose import Backend, choose_backend
from asr.runtime.native.library import load_kernels
from asr.runtime.precision import Precision
from asr.transcriber import Prepared, Transcriber
from asr.whisper.checkpoints import load_checkpoint
from benchmarks.report import machine, publish, table

AUTO = "auto"
HOPELESS = 3.0  # times the fastest
FIRST_CLIPS = 4
Seconds = dict[str, list[tuple[float, float]]]  # by setting, of every clip: encoder and decoder


def main(
    manifest: Annotated[Path, typer.Argument(help="JSONL with audio.")],
    model: str = "base",
    threads: int = 2,
    clips: int = 30,
    write: Annotated[bool, typer.Option("--write", help="Put the results into RESULTS.md.")] = False,
) -> None:
    torch.set_num_threads(threads)
    checkpoint = load_checkpoint(model)
    computes = {AUTO: choose_backend(checkpoint, threads=threads)}
    for path in load_kernels():
        name = f"SAYSEEK_INSTRUCTIONS={path}"
        computes[name] = choose_backend(checkpoint, instructions=path, threads=threads)
    for precision in (Precision.FLOAT32, Precision.BFLOAT16):
        computes[f"SAYSEEK_PRECISION={precision}"] = choose_backend(checkpoint, precision, threads=threads)
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    paths = [manifest.parent / row["audio"] for row in rows[:: max(1, len(rows) // clips)]]
    engines = {name: Engine(checkpoint, compute) for name, compute in computes.items()}
    try:
        seconds = measure(engines, [path.read_bytes() for path in paths])
    finally:
        for engine in engines.values():
            engine.close()
    publish(f"arithmetics {model}", report(model, threads, computes, seconds), write=write)


def measure(engines: dict[str, Engine], clips: list[bytes]) -> Seconds:
    """All engines hear each clip in turn, after one that is not counted."""
    seconds: Seconds = {name: [] for name in engines}
    transcribers = {name: Transcriber(engine) for name, engine in engines.items()}
    prepared = [transcribers[AUTO].prepare(clip) for clip in clips]
    for transcriber in transcribers.values():
        hear(transcriber, prepared[0])
    for clip in prepared:
        totals = {name: median_total(own) for name, own in seconds.items() if len(own) >= FIRST_CLIPS}
        for name, transcriber in transcribers.items():
            if name not in totals or totals[name] < HOPELESS * min(totals.values()):
                seconds[name].append(hear(transcriber, clip))
    return seconds


def hear(transcriber: Transcriber, clip: Prepared) -> tuple[float, float]:
    heard = transcriber.engine.submit(clip.windows, transcriber.options(alternatives=3)).result()
    return (
        sum(window.encode_seconds for window in heard.windows),
        sum(window.decode_seconds for window in heard.windows),
    )


def median_total(seconds: list[tuple[float, float]]) -> float:
    return statistics.median(map(sum, seconds))


def report(model: str, threads: int, computes: dict[str, Backend], seconds: Seconds) -> str:
    count = len(seconds[AUTO])
    by_hand = {name: own for name, own in seconds.items() if name != AUTO}

    def total(name: str, clips: int = count) -> float:
        return 1000 * median_total(seconds[name][:clips])

    best = min((name for name, own in by_hand.items() if len(own) == count), key=total)
    rows = [
        [
            name,
            str(computes[name]),
            *(f"{1000 * statistics.median(part):.1f}" for part in zip(*own, strict=True)),
            f"{total(name, len(own)):.1f}",
            f"{total(name, len(own)) / total(best, len(own)):.2f}",
        ]
        for name, own in seconds.items()
    ]
    columns = ["setting", "computes", "encoder, ms", "decoder, ms", "both, ms", "times the best by hand"]
    shown = f"`{model}`, {threads} threads, {count} clips in alternation ({machine()})"
    return f"{shown}; the hopeless heard the first {FIRST_CLIPS}.\n\n" + table(columns, rows)


if __name__ == "__main__":
    typer.run(main)
