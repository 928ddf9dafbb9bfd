"""Which arithmetic is the fastest here, by trying: some layers of the model at hand, on the threads that it will have.

That takes a second or two, once: what was measured is kept in a folder, by all that it depends on. Kernels with newer
instructions are not always faster, and which are differs with the processor, the model and the threads.
"""

import contextlib
import copy
import hashlib
import json
import logging
import math
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

from asr.audio.decode import SAMPLE_RATE
from asr.audio.features import frame_count
from asr.decoding.rules import Rules
from asr.decoding.stepper import Row, Stepper
from asr.runtime.arithmetic import Arithmetic
from asr.runtime.native.build import LIBRARY
from asr.whisper.checkpoints import Checkpoint
from asr.whisper.encoding import EncodedWindow, VirtualSilence
from asr.whisper.model import AudioEncoder, TextDecoder

logger = logging.getLogger(__name__)

# Lines of /proc/cpuinfo.
TELLING = ("model name", "flags", "Features", "CPU implementer", "CPU variant", "CPU part")
LIMITS = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA")  # that an owner may set to PyTorch
FORMAT = 1  # of what is kept: what an older version kept under another number is not read
CLIP_SECONDS = 3.7  # of sound, as in the median spoken query
ROWS = (1, 8)  # of a step: a transcript alone, and one with alternatives and what is expected beside it
POSITION = 8  # at which steps are timed, after the tokens before it have been read
LAYERS = (1, 2)  # that are timed
SECONDS = 1.0  # that the times of a part may take at most, but for a last round
LEAST_TRIES = 4
AGREEMENT = 1.03  # times the least: the next to it is as fast
HOPELESS = 2.0  # times the fastest: what takes so much longer is not tried again

Part = TypeVar("Part", AudioEncoder, TextDecoder)


@dataclass(frozen=True)
class Measured:
    """Milliseconds by arithmetic: `encoder` for a clip of CLIP_SECONDS, `decoder` for a step with 1 row and one with 8.

    They are of the whole model, reckoned from the first of its layers.
    """

    encoder: Mapping[str, float]
    decoder: Mapping[str, float]

    def best(self) -> tuple[str, str]:
        """The fastest for the encoder, and for the decoder."""
        return min(self.encoder, key=self.encoder.__getitem__), min(self.decoder, key=self.decoder.__getitem__)


def measured(checkpoint: Checkpoint, candidates: Sequence[Arithmetic], threads: int, folder: Path | None) -> Measured:
    """What the folder has of an earlier time, or what is measured now and kept there for the next."""
    file = _file(folder, _key(checkpoint, candidates, threads))
    if found := _read(file, {one.name for one in candidates}):
        return found
    started = time.monotonic()
    now, calm = measure(checkpoint, candidates, threads)
    logger.info("measured in %.1f s what is the fastest here: %s", time.monotonic() - started, now)
    if calm:
        _keep(file, now)
    else:
        logger.warning("this machine is busy with something else: the next start measures again what is the fastest")
    return now


@torch.inference_mode()
def measure(checkpoint: Checkpoint, candidates: Sequence[Arithmetic], threads: int) -> tuple[Measured, bool]:
    """Time some layers of the encoder and of the decoder in each candidate's arithmetic; was the machine calm?"""
    dims = checkpoint.model.dims
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        parts = [_time_layers(checkpoint, candidates, layers) for layers in LAYERS]
    finally:
        torch.set_num_threads(before)
    (one, _), (two, _) = parts
    times = Measured(
        _of_all_layers(one.encoder, two.encoder, dims.n_audio_layer),
        _of_all_layers(one.decoder, two.decoder, dims.n_text_layer),
    )
    return times, all(calm for _, calm in parts)


def _time_layers(checkpoint: Checkpoint, candidates: Sequence[Arithmetic], layers: int) -> tuple[Measured, bool]:
    """A model of so many layers, with the convolutions and the logits."""
    model, context = checkpoint.model, Rules.of(checkpoint).context
    encoder, decoder = _with_layers(model.encoder, layers), _with_layers(model.decoder, layers)
    silence = VirtualSilence(encoder)
    frames = frame_count(round(CLIP_SECONDS * SAMPLE_RATE))
    mel = torch.randn(model.dims.n_mels, frames, generator=torch.Generator().manual_seed(0))
    encoders = {one.name: one.encoder(encoder, silence) for one in candidates}
    window = next(iter(encoders.values())).encode([mel])[0]
    steppers = {one.name: one.steppers(decoder, silence, context)[0] for one in candidates}
    for_encoder, calm = time_all({name: partial(own.encode, [mel]) for name, own in encoders.items()})
    for_decoder, calm_still = time_all({name: _steps(own, window, checkpoint) for name, own in steppers.items()})
    return Measured(for_encoder, for_decoder), calm and calm_still


def _of_all_layers(one: Mapping[str, float], two: Mapping[str, float], layers: int) -> dict[str, float]:
    """Layers are alike: what two take more than one, each further one takes, too."""
    return {name: round(own + (layers - 1) * max(0.0, two[name] - own), 3) for name, own in one.items()}


def time_all(works: Mapping[str, Callable[[], object]]) -> tuple[dict[str, float], bool]:
    """The least milliseconds that each took, all in turn; and whether every one was as fast twice.

    A hopeless one is tried twice, the first time to warm up. All others are tried until two tries agree, or until
    SECONDS are over: on a machine that something else keeps busy they may never agree.
    """
    times: dict[str, list[float]] = {name: [] for name in works}
    give_up = time.monotonic() + SECONDS
    while time.monotonic() < give_up:
        best = min((min(own) for own in times.values() if own), default=float("inf"))
        open_still = [name for name, own in times.items() if not _is_confirmed(own, best)]
        if not open_still:
            break
        for name in open_still:
            started = time.perf_counter()
            works[name]()
            times[name].append(1000 * (time.perf_counter() - started))
    best = min(min(own) for own in times.values())
    calm = all(_is_confirmed(own, best) for own in times.values())
    return {name: round(min(own), 3) for name, own in times.items()}, calm


def _is_confirmed(times: Sequence[float], best: float) -> bool:
    """Was it as fast twice, after a first time, or is it hopeless?"""
    if len(times) < LEAST_TRIES:
        return len(times) == 2 and min(times) > HOPELESS * best
    least, second, *_ = sorted(times)
    return second <= AGREEMENT * least


def _steps(stepper: Stepper, window: EncodedWindow, checkpoint: Checkpoint) -> Callable[[], object]:
    """A step with each number of rows, in sequences that have read what comes before."""
    audio, mask = stepper.hear(window), torch.zeros(checkpoint.model.dims.n_vocab)
    token, *_ = checkpoint.tokenizer.prompt("en")
    pasts = [stepper.begin(audio) for _ in range(max(ROWS))]
    for position in range(POSITION):
        stepper.step([Row(past, token, position) for past in pasts])
    rows = [[Row(past, token, POSITION, mask) for past in pasts[:count]] for count in ROWS]
    return lambda: [stepper.step(some) for some in rows]


def _with_layers(part: Part, layers: int) -> Part:
    """The same weights, less all layers but the first."""
    shallow = copy.copy(part)
    shallow._modules = {**part._modules, "blocks": part.blocks[:layers]}
    if isinstance(shallow, TextDecoder):
        shallow.dims = replace(shallow.dims, n_text_layer=min(layers, shallow.dims.n_text_layer))
    return shallow


def _key(checkpoint: Checkpoint, candidates: Sequence[Arithmetic], threads: int) -> str:
    """Of all that a measurement depends on."""
    parts = (
        *(FORMAT, checkpoint.model.dims, threads, [one.name for one in candidates]),
        *(torch.__version__, [os.environ.get(name) for name in LIMITS], platform.machine(), _processor()),
        LIBRARY.read_bytes() if LIBRARY.exists() else b"",
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


def _read(file: Path | None, names: set[str]) -> Measured | None:
    """What was kept, if it is whole: a time for each of the names."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        kept = json.loads(file.read_text(encoding="utf-8")) if file else {}
        parts = kept["encoder"], kept["decoder"]
        if all(set(own) == names and all(0 < time < math.inf for time in own.values()) for own in parts):
            return Measured(*parts)
    return None


def _keep(file: Path | None, now: Measured) -> None:
    """Write to a file beside, then rename: another server that starts meanwhile reads all of it or nothing."""
    if not file:
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=file.parent) as scratch:
            written = Path(scratch) / file.name
            written.write_text(json.dumps(asdict(now)), encoding="utf-8")
            written.replace(file)
    except OSError as error:
        logger.warning("what was measured is not kept, and every start measures again: %s", error)
