"""Load the model that is to be served or measured."""

import logging
import time
from pathlib import Path

from asr.engine.replicas import Replicas
from asr.runtime.choose import choose_backends
from asr.runtime.cpu_shares import CpuShares
from asr.whisper.checkpoints import load_checkpoint
from pipeline.options import RecognitionOptions

logger = logging.getLogger(__name__)


def load_replicas(options: RecognitionOptions, shares: CpuShares, *, max_queue: int = 64) -> Replicas:
    """Load the model and start its engines, of which each holds at most `max_queue` clips. Raises AsrError."""
    started = time.monotonic()
    checkpoint = load_checkpoint(options.model, hub_cache=options.hub_cache, offline=options.offline)
    computes = choose_backends(
        checkpoint, options.precision, shares, instructions=options.instructions, cache=options.cache
    )
    replicas = Replicas(checkpoint, computes, max_queue=max_queue, whole_windows=options.whole_windows)
    seconds = time.monotonic() - started
    logger.info("model %s loaded in %.1f s: %s", Path(options.model).name, seconds, replicas.compute)
    return replicas
