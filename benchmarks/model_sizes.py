"""What a model needs of a machine, before it is downloaded: times real time and memory, by its shape.

    python -m benchmarks.model_sizes --threads 2 --write

One clip after the other, as the engine of a server hears it; the weights are random (see `shapes`). The clips are those
in samples/. Each model is measured in a process of its own.
"""

import json
import resource
import statistics
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from asr.audio.decode import SAMPLE_RATE, Samples, decode_audio
from asr.decoding.hypothesis import DecodingOptions
from asr.engine.engine import Engine
from asr.runtime.choose import choose_backend
from benchmarks.report import machine, publish, table
from benchmarks.shapes import SHAPES, Ending, with_random_weights

SAMPLES = Path(__file__).parent.parent / "samples"
OPTIONS = DecodingOptions("en")


def main(
    models: Annotated[str, typer.Option(help="Shapes, comma-separated.")] = ",".join(SHAPES),
    threads: int = 2,
    write: Annotated[bool, typer.Option("--write", help="Put the results into RESULTS.md.")] = False,
    only: Annotated[str, typer.Option(hidden=True, help="Measure this one here, and print JSON.")] = "",
) -> None:
    if only:
        print(json.dumps(measure(only, threads)))
        return
    rows = [row(name, threads) for name in models.split(",")]
    columns = ["shape", "parameters", "computes", "encoder, ms", "decoder, ms", "times real time", "memory"]
    seconds = statistics.mean(len(clip) for clip in recordings()) / SAMPLE_RATE
    text = f"Clips of {seconds:.1f} s on average, one after the other, {threads} threads ({machine()}), random weights"
    publish("model sizes", f"{text}:\n\n{table(columns, rows)}", write=write)


def row(name: str, threads: int) -> list[str]:
    command = [sys.executable, "-m", "benchmarks.model_sizes", "--threads", str(threads), "--only", name]
    measured = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return [
        name,
        f"{measured['parameters'] / 1e6:.0f} M",
        measured["compute"],
        *(f"{1000 * measured[part]:.0f}" for part in ("encoder", "decoder")),
        f"{measured['times_real_time']:.1f}",
        f"{measured['memory'] / 1e9:.1f} GB",
    ]


def measure(name: str, threads: int) -> dict[str, object]:
    """Median seconds of both parts, over all clips; and the most memory that the process had, in bytes."""
    checkpoint = with_random_weights(name)
    compute = choose_backend(checkpoint, threads=threads)
    ending = replace(compute, stepper=Ending(compute.stepper, checkpoint.tokenizer))
    clips = recordings()
    with Engine(checkpoint, ending) as engine:
        engine.submit([clips[0]], OPTIONS).result()  # not counted
        windows = [engine.submit([clip], OPTIONS).result().windows[0] for clip in clips]
    encoder, decoder = ([getattr(own, part) for own in windows] for part in ("encode_seconds", "decode_seconds"))
    return {
        "parameters": sum(own.numel() for own in checkpoint.model.parameters()),
        "compute": str(compute),
        "encoder": statistics.median(encoder),
        "decoder": statistics.median(decoder),
        "times_real_time": sum(map(len, clips)) / SAMPLE_RATE / (sum(encoder) + sum(decoder)),
        "memory": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }


def recordings() -> list[Samples]:
    return [decode_audio(path.read_bytes()).samples for path in sorted(SAMPLES.glob("*.flac"))]


if __name__ == "__main__":
    typer.run(main)
