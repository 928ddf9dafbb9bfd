"""What a model needs of a machine before it is downloaded: times real time and memory, by its shape.

    python -m benchmarks.model_sizes --threads 2 --write

The weights are random, which changes neither. A query of 3.7 s is encoded and 12 tokens are decoded, each step with
four rows: a transcript and its alternatives. Every model is measured in a process of its own.
"""

import json
import resource
import statistics
import subprocess
import sys
import time
from typing import Annotated

import torch
import typer

from asr.arithmetic import InInt8, InTorch
from asr.features import frame_count
from asr.measuring import CLIP_SECONDS
from asr.model import ModelDimensions, Whisper
from asr.native.library import load_kernels
from asr.steps import Row
from benchmarks.report import machine, publish, table

CONTEXT = 228  # tokens
TOKENS, ROWS, PROMPT = 12, 4, 4
RUNS = 7


def shape(
    n_mels: int, state: int, encoder_layers: int, decoder_layers: int, vocabulary: int = 51_865
) -> ModelDimensions:
    heads = state // 64
    return ModelDimensions(
        *(n_mels, 1500, state, heads, encoder_layers), *(vocabulary, 448, state, heads, decoder_layers)
    )


SHAPES = {
    "tiny": shape(80, 384, 4, 4),
    "base": shape(80, 512, 6, 6),
    "small": shape(80, 768, 12, 12),
    "medium": shape(80, 1024, 24, 24),
    "large-v3-turbo": shape(128, 1280, 32, 4, 51_866),
}


def main(
    models: Annotated[str, typer.Option(help="Shapes, comma-separated.")] = ",".join(SHAPES),
    threads: int = 2,
    write: Annotated[bool, typer.Option("--write", help="Put the results into RESULTS.md.")] = False,
    only: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    if only:
        print(json.dumps(measure(SHAPES[only], threads)))
        return
    rows = []
    for name in models.split(","):
        command = [sys.executable, "-m", "benchmarks.model_sizes", "--threads", str(threads), "--only", name]
        measured = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        total = measured["encode"] + measured["decode"]
        rows.append(
            [
                name,
                f"{measured['parameters'] / 1e6:.0f} M",
                *(f"{1000 * seconds:.0f}" for seconds in (measured["encode"], measured["decode"])),
                f"{CLIP_SECONDS / total:.1f}",
                f"{measured['memory'] / 1e9:.1f} GB",
            ]
        )
    columns = ["model's shape", "parameters", "encoder, ms", "decoder, ms", "times real time", "memory"]
    publish(
        "model sizes",
        f"A query of {CLIP_SECONDS:g} s, int8, {threads} threads ({machine()}), random weights:\n\n"
        + table(columns, rows),
        write=write,
    )


@torch.inference_mode()
def measure(dims: ModelDimensions, threads: int) -> dict[str, float]:
    """Median seconds of the encoder and the decoder, and the process's memory once the model is ready, in bytes."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    with torch.device("meta"):
        shapes = Whisper(dims).state_dict()
    model = Whisper.from_tensors(dims, {name: 0.02 * torch.randn(own.shape) for name, own in shapes.items()})
    kernels = list(load_kernels().values())
    arithmetic = InInt8(kernels[-1]) if kernels else InTorch(torch.float32)
    encoder = arithmetic.encoder(model.encoder)
    (stepper,) = arithmetic.steppers(model.decoder, encoder.silence, CONTEXT)
    mel, mask = torch.randn(dims.n_mels, frame_count(round(CLIP_SECONDS * 16_000))), torch.zeros(dims.n_vocab)
    encode, decode = [], []
    for _ in range(RUNS):
        started = time.perf_counter()
        (window,) = encoder.encode([mel])
        encode.append(time.perf_counter() - started)
        started = time.perf_counter()
        audio = stepper.hear(window)
        pasts = [stepper.begin(audio) for _ in range(ROWS)]
        stepper.step([Row(past, 1, position) for past in pasts for position in range(PROMPT)])
        for position in range(PROMPT, PROMPT + TOKENS):
            stepper.step([Row(past, 1, position, mask) for past in pasts])
        for past in pasts:
            stepper.release(past)
        decode.append(time.perf_counter() - started)
    return {
        "parameters": sum(own.numel() for own in shapes.values()),
        "encode": statistics.median(encode),
        "decode": statistics.median(decode),
        "memory": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }


if __name__ == "__main__":
    typer.run(main)
