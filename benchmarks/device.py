"""How many times faster than real time the engine hears, on the fastest device here, without HTTP.

    python -m benchmarks.device --write                      # on a GPU
    python -m benchmarks.device --batches 1,4 --shapes ''    # a look, on a CPU

Closed loop: so many clips are always in the engine. The clips are those in samples/. `base` is the real model. The
other has the shapes of large-v3-turbo and random weights (see `shapes`).
"""

import itertools
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import torch
import typer

from asr.audio.decode import SAMPLE_RATE, Samples, decode_audio
from asr.decoding.hypothesis import DecodingOptions
from asr.engine.engine import Engine
from asr.engine.jobs import DecodedClip
from asr.runtime.choose import Backend, choose_backend
from asr.runtime.precision import Precision
from asr.whisper.checkpoints import Checkpoint, load_checkpoint
from benchmarks.report import machine, publish, table
from benchmarks.shapes import SHAPES, Ending, with_random_weights

SAMPLES = Path(__file__).parent.parent / "samples"
OPTIONS = DecodingOptions("en")


@dataclass(frozen=True)
class Outcome:
    """What came of a load: `seconds` of audio in `duration` seconds, and how long each answer took."""

    seconds: float
    duration: float
    answers: Sequence[float]


def main(
    models: Annotated[str, typer.Option(help="Real ones, comma-separated.")] = "base",
    shapes: Annotated[str, typer.Option(help=f"With random weights: {', '.join(SHAPES)}.")] = "large-v3-turbo",
    batches: Annotated[str, typer.Option(help="Clips at once.")] = "1,16,64,256",
    rounds: Annotated[int, typer.Option(help="Times that so many clips are heard, after as many to warm up.")] = 8,
    precision: Precision = Precision.AUTO,
    write: Annotated[bool, typer.Option("--write", help="Put the results into RESULTS.md.")] = False,
) -> None:
    clips = [decode_audio(path.read_bytes()).samples for path in sorted(SAMPLES.glob("*.flac"))]
    rows = []
    for name in filter(None, (*models.split(","), *shapes.split(","))):
        checkpoint = with_random_weights(name) if name in shapes.split(",") else load_checkpoint(name)
        compute = choose_backend(checkpoint, precision)
        if name in shapes.split(","):
            compute = replace(compute, stepper=Ending(compute.stepper, checkpoint.tokenizer))
        for batch in map(int, batches.split(",")):
            rows.append(
                [
                    name + (" (random weights)" if name in shapes.split(",") else ""),
                    *row(checkpoint, compute, clips, batch, rounds),
                ]
            )
            print(*rows[-1])
    columns = ["model", "clips at once", "times real time", "clips/s", "median answer, ms"]
    seconds = statistics.mean(map(len, clips)) / SAMPLE_RATE
    text = f"Clips of {seconds:.1f} s on average, {compute} ({device()}):"
    kind = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    publish("device", f"{text}\n\n{table(columns, rows)}", write=write, kind=kind)


def row(checkpoint: Checkpoint, compute: Backend, clips: Sequence[Samples], batch: int, rounds: int) -> list[str]:
    with Engine(checkpoint, compute, max_queue=batch) as engine:
        heard(engine, clips, batch, 2 * batch)  # captures what is to be captured, in and out of full batches
        outcome = heard(engine, clips, batch, rounds * batch)
    return [
        str(batch),
        f"{outcome.seconds / outcome.duration:.0f}",
        f"{len(outcome.answers) / outcome.duration:.1f}",
        f"{1000 * statistics.median(outcome.answers):.0f}",
    ]


def heard(engine: Engine, clips: Sequence[Samples], batch: int, count: int) -> Outcome:
    """Have so many clips heard, `batch` of them at once."""
    chosen, started = list(itertools.islice(itertools.cycle(clips), count)), time.perf_counter()
    asked: dict[Future[DecodedClip], float] = {}
    answers: list[float] = []
    for clip in chosen:
        if len(asked) == batch:
            answers += answered(asked)
        asked[engine.submit([clip], OPTIONS)] = time.perf_counter()
    while asked:
        answers += answered(asked)
    return Outcome(sum(map(len, chosen)) / SAMPLE_RATE, time.perf_counter() - started, answers)


def answered(asked: dict[Future[DecodedClip], float]) -> list[float]:
    """Wait for the next, and take all that are there; the seconds that each took."""
    done, _ = wait(asked, return_when=FIRST_COMPLETED)
    for future in done:
        future.result()
    return [time.perf_counter() - asked.pop(future) for future in done]


def device() -> str:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else machine()


if __name__ == "__main__":
    typer.run(main)
