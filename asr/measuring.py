"""Which arithmetic is the fastest here, by trying: some layers of the model at hand, on the threads that it will have.

That takes a second or two, once: what was measured is kept in a folder, by all that it depends on. Kernels with newer
instructions are not always faster, and which are differs with the processor, the model and the threads.
"""

import contextlib
import copy
import hashlib
import json
import logging
import os
import platform
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch

from asr.arithmetic import Arithmetic
from asr.audio import SAMPLE_RATE
from asr.checkpoints import Checkpoint
from asr.decoding import Rules
from asr.encoding import EncodedWindow, VirtualSilence
from asr.features import frame_count
from asr.model import AudioEncoder, TextDecoder
from asr.native.build import fingerprint
from asr.steps import Row, Stepper

logger = logging.getLogger(__name__)

TELLING = ("model name", "flags", "Features", "CPU part")  # lines of /proc/cpuinfo
FORMAT = 1  # of what is kept: what an older version kept under another number is not read
CLIP_SECONDS = 3.7  # of sound, as in the median spoken query
ROWS = (1, 8)  # of a step: a transcript alone, and one with alternatives and what is expected beside it
POSITION = 8  # at which steps are timed, after the tokens before it have been read
ROUNDS = 7  # of all candidates in turn, so that what else the machine does hits all alike
HOPELESS = 2.0  # times the fastest: a candidate that takes so much longer in a round is not tried again

Part = TypeVar("Part", AudioEncoder, TextDecoder)


@dataclass(frozen=True)
class Measured:
    """Milliseconds by arithmetic: `encoder` for a layer and a clip of CLIP_SECONDS, with the convolutions; `decoder`
    for a layer's step with 1 row and one with 8, with the logits.
    """

    encoder: Mapping[str, float]
    decoder: Mapping[str, float]


def measured(checkpoint: Checkpoint, candidates: Sequence[Arithmetic], threads: int, folder: Path | None) -> Measured:
    """What the folder has of an earlier time, or what is measured now and kept there for the next."""
    file = _file(folder, _key(checkpoint, candidates, threads))
    if found := _read(file):
        return found
    started = time.monotonic()
    now = measure(checkpoint, candidates, threads)
    logger.info("measured in %.1f s what is the fastest here: %s", time.monotonic() - started, now)
    _keep(file, now)
    return now


@torch.inference_mode()
def measure(checkpoint: Checkpoint, candidates: Sequence[Arithmetic], threads: int) -> Measured:
    """Time a layer of the encoder and one of the decoder in each candidate's arithmetic."""
    model, context = checkpoint.model, Rules.of(checkpoint).context
    encoder, decoder = _with_one_layer(model.encoder), _with_one_layer(model.decoder)
    silence = VirtualSilence(encoder)
    frames = frame_count(round(CLIP_SECONDS * SAMPLE_RATE))
    mel = torch.randn(model.dims.n_mels, frames, generator=torch.Generator().manual_seed(0))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        encoders = {one.name: one.encoder(encoder, silence) for one in candidates}
        window = next(iter(encoders.values())).encode([mel])[0]
        steppers = {one.name: one.steppers(decoder, silence, context)[0] for one in candidates}
        return Measured(
            fastest({name: partial(own.encode, [mel]) for name, own in encoders.items()}),
            fastest({name: _steps(own, window, checkpoint) for name, own in steppers.items()}),
        )
    finally:
        torch.set_num_threads(before)


def fastest(works: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """The least milliseconds that each took; a hopeless one is tried twice, the first time to warm up."""
    least = dict.fromkeys(works, float("inf"))
    for tries in range(ROUNDS):
        best = min(least.values())
        for name, work in works.items():
            if tries < 2 or least[name] <= HOPELESS * best:
                started = time.perf_counter()
                work()
                least[name] = min(least[name], 1000 * (time.perf_counter() - started))
    return {name: round(milliseconds, 3) for name, milliseconds in least.items()}


def _steps(stepper: Stepper, window: EncodedWindow, checkpoint: Checkpoint) -> Callable[[], object]:
    """A step with each number of rows, in sequences that have read what comes before."""
    audio, mask = stepper.hear(window), torch.zeros(checkpoint.model.dims.n_vocab)
    token, *_ = checkpoint.tokenizer.prompt("en")
    pasts = [stepper.begin(audio) for _ in range(max(ROWS))]
    for position in range(POSITION):
        stepper.step([Row(past, token, position) for past in pasts])
    rows = [[Row(past, token, POSITION, mask) for past in pasts[:count]] for count in ROWS]
    return lambda: [stepper.step(some) for some in rows]


def _with_one_layer(part: Part) -> Part:
    """The same weights, less all layers but the first."""
    shallow = copy.copy(part)
    shallow._modules = {**part._modules, "blocks": part.blocks[:1]}
    if isinstance(shallow, TextDecoder):
        shallow.dims = replace(shallow.dims, n_text_layer=1)
    return shallow


def _key(checkpoint: Checkpoint, candidates: Sequence[Arithmetic], threads: int) -> str:
    """Of all that a measurement depends on."""
    parts = (
        *(FORMAT, checkpoint.model.dims, threads, [one.name for one in candidates]),
        *(torch.__version__, fingerprint(), platform.machine(), _processor()),
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _processor() -> str:
    """The processor's model and instructions, where the system tells them."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.platform() + platform.processor()
    return "\n".join(dict.fromkeys(line for line in lines if line.startswith(TELLING)))


def _file(folder: Path | None, key: str) -> Path | None:
    """Where a measurement is kept: in the folder, or in `sayseek` in the user's cache folder; None without a home."""
    try:
        own = folder or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "sayseek"
    except RuntimeError:
        return None
    return own / f"measured-{key}.json"


def _read(file: Path | None) -> Measured | None:
    with contextlib.suppress(OSError, ValueError, TypeError):
        return Measured(**json.loads(file.read_text(encoding="utf-8"))) if file else None
    return None


def _keep(file: Path | None, now: Measured) -> None:
    """Write to a file beside, then rename: another server that starts meanwhile reads all of it or nothing."""
    if not file:
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=file.parent, delete=False) as scratch:
            json.dump(asdict(now), scratch)
        os.replace(scratch.name, file)
    except OSError as error:
        logger.warning("what was measured is not kept, and every start measures again: %s", error)
