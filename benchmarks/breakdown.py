"""Where a request's time goes, stage by stage, against the least that this machine's arithmetic and memory allow.

    python -m benchmarks.breakdown MANIFEST --model base --threads 2 --write

The floor: the encoder's multiplications at the rate of a large product in PyTorch, in what the processor is best at;
and the decoder's weights read once a step at the rate at which memory is copied from.
"""

import json
import statistics
import time
from pathlib import Path
from typing import Annotated

import torch
import typer

from asr.engine.engine import Engine
from asr.runtime.arithmetic import InTorch, best_in_torch
from asr.runtime.choose import Backend, choose_backend
from asr.transcriber import Transcriber
from asr.whisper.checkpoints import Checkpoint, load_checkpoint
from asr.whisper.encoding import FRAMES_FOR_ONE
from asr.whisper.model import ModelDimensions
from benchmarks.report import bars, machine, publish, table

STAGES = ("audio", "queue", "encode", "decode")


def main(
    manifest: Annotated[Path, typer.Argument(help="JSONL with audio.")],
    model: str = "base",
    threads: int = 2,
    clips: int = 40,
    write: Annotated[bool, typer.Option("--write", help="Put the results into RESULTS.md.")] = False,
) -> None:
    torch.set_num_threads(threads)
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    paths = [manifest.parent / row["audio"] for row in rows[:: max(1, len(rows) // clips)]]
    checkpoint = load_checkpoint(model)
    flops, copied = products_per_second(), bytes_per_second()
    compute = choose_backend(checkpoint, threads=threads)
    spent: dict[str, list[float]] = {stage: [] for stage in (*STAGES, "frames", "tokens")}
    with Engine(checkpoint, compute) as engine:
        transcriber = Transcriber(engine)
        transcriber.transcribe(paths[0].read_bytes())
        for path in paths:
            measure(transcriber, path.read_bytes(), spent)
    publish(f"breakdown {model}", report(checkpoint, compute, spent, flops, copied), write=write)


def measure(transcriber: Transcriber, data: bytes, spent: dict[str, list[float]]) -> None:
    prepared = transcriber.prepare(data)
    clip = transcriber.engine.submit(prepared.windows, transcriber.options()).result()
    spent["audio"].append(prepared.seconds)
    spent["queue"].append(clip.queue_seconds)
    spent["encode"].append(sum(window.encode_seconds for window in clip.windows))
    spent["decode"].append(sum(window.decode_seconds for window in clip.windows))
    spent["frames"].append(sum(len(samples) for samples in prepared.windows) / 320)
    spent["tokens"].append(sum(len(window.best.tokens) + 1 for window in clip.windows))


def encoder_flops(dims: ModelDimensions, frames: float) -> float:
    """Multiplications and additions for so many frames, which attend to themselves and to what stands for silence."""
    state, seen = dims.n_audio_state, frames + (dims.n_audio_ctx - frames) / FRAMES_FOR_ONE
    convolutions = 2 * 3 * state * (2 * dims.n_mels + state)
    layers = dims.n_audio_layer * (24 * state**2 + 4 * seen * state)
    cross = dims.n_text_layer * 4 * state * dims.n_text_state
    return frames * (convolutions + layers + cross)


def step_bytes(dims: ModelDimensions) -> float:
    """int8 weights of one decoder step."""
    return float(dims.n_text_layer * 14 * dims.n_text_state**2 + dims.n_vocab * dims.n_text_state)


def products_per_second(size: int = 1024) -> float:
    a, b = (torch.randn(size, size).to(best_in_torch()) for _ in range(2))
    return 2 * size**3 / fastest(lambda: a @ b)


def bytes_per_second(size: int = 1 << 28) -> float:
    """Of a sum over more memory than any cache holds."""
    data = torch.ones(size // 8, dtype=torch.int64)
    return size / fastest(data.sum)


def fastest(work: object, seconds: float = 2.0) -> float:
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        started = time.perf_counter()
        work()  # type: ignore[operator]
        best = min(best, time.perf_counter() - started)
    return best


def report(checkpoint: Checkpoint, compute: Backend, spent: dict[str, list[float]], flops: float, copied: float) -> str:
    median = {name: statistics.median(values) for name, values in spent.items()}
    dims = checkpoint.model.dims
    floors = {
        "encode": encoder_flops(dims, median["frames"]) / flops,
        "decode": median["tokens"] * step_bytes(dims) / copied,
    }
    rows = [
        [stage, f"{1000 * median[stage]:.1f}", f"{1000 * floors[stage]:.1f}" if stage in floors else ""]
        for stage in STAGES
    ]
    clip = f"{median['frames'] / 50:.1f} s of window and {median['tokens']:.0f} tokens"
    rates = f"{flops / 1e12:.2f} TFLOP/s in {InTorch(best_in_torch()).name}, {copied / 1e9:.0f} GB/s"
    return "\n\n".join(
        (
            f"`{checkpoint.name}`, {compute} ({machine()}, {rates}); the median clip has {clip}.",
            table(["stage", "median, ms", "floor, ms"], rows),
            bars({stage: 1000 * median[stage] for stage in STAGES}, "ms"),
        )
    )


if __name__ == "__main__":
    typer.run(main)
