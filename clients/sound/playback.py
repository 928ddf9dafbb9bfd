"""A recording, played at its own pace: as if somebody spoke."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from clients.errors import UnreadableRecording
from clients.sound.utterances import blocks, is_readable
from vad.utterances import SAMPLE_RATE

BLOCK_SAMPLES = SAMPLE_RATE // 50


async def played(recording: Path | BinaryIO) -> AsyncIterator[bytes]:
    """PCM, 16 bit mono at 16 kHz, each block when it has been heard.

    Raises `OSError` when a file cannot be opened, and `UnreadableRecording` for one in another format than wav, flac,
    ogg, opus or mp3, in which no samples are found, or which breaks off, after what was before.
    """
    if not is_readable(recording):
        raise UnreadableRecording("This cannot be played here: convert it to wav, flac, ogg, opus or mp3.")
    loop = asyncio.get_running_loop()
    began = loop.time()
    played_samples = 0
    for samples in blocks(recording):
        for at in range(0, len(samples), BLOCK_SAMPLES):
            block = samples[at : at + BLOCK_SAMPLES]
            played_samples += len(block)
            await asyncio.sleep(began + played_samples / SAMPLE_RATE - loop.time())
            yield block.astype("<i2").tobytes()
