"""Raw PCM as it streams in, at any rate and in pieces of any length → 16 kHz mono.

soxr's stream would do, but for what it holds back: 20 to 40 ms, and 110 ms of telephone speech. This holds back 1 ms.
"""

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from asr.audio.decode import SAMPLE_RATE
from vad.channels import ChannelMixer

ZERO_CROSSINGS = 16  # of the windowed sinc, on either side
KAISER_BETA = 8.0  # for 80 dB in the stop band
ROLL_OFF = 0.92  # of the lower rate's Nyquist frequency: the filter's slope must end about there
MAX_PHASES = 512
FULL_SCALE = np.float32(32_768)  # of 16 bit; a power of two, by which samples are divided without loss

Pcm = npt.NDArray[np.int16]
Table = npt.NDArray[np.float32]


class PcmStream:
    """One stream of signed 16 bit little-endian PCM with `channels` interleaved, which `ChannelMixer` mixes.

    `sample_rate` is in Hz. The resampler is a polyphase windowed sinc (J. O. Smith, "Digital Audio Resampling").
    """

    def __init__(self, sample_rate: int, channels: int) -> None:
        common = math.gcd(sample_rate, SAMPLE_RATE)
        self._up, self._down = SAMPLE_RATE // common, sample_rate // common
        self._channels = channels
        self._mixer = ChannelMixer(channels, sample_rate)
        self._torn = b""
        self._table = _filters(self._up, self._down) if self._up != self._down else None
        self._half = self._table.shape[1] // 2 if self._table is not None else 0
        self._buffer = np.zeros(max(0, self._half - 1), np.float32)
        self._begins = -len(self._buffer)  # the input sample that the buffer begins with
        self._given = 0  # samples

    def push(self, data: bytes) -> Pcm:
        """The samples at 16 kHz, shape (n,), that `data` completes. It may end within a sample."""
        data = self._torn + data
        whole = len(data) - len(data) % (2 * self._channels)
        self._torn = data[whole:]
        pcm = np.frombuffer(data, "<i2", whole // 2)
        if self._table is None and self._channels == 1:
            return pcm.astype(np.int16)
        mono = self._mixer.mix(pcm.reshape(-1, self._channels).astype(np.float32) / FULL_SCALE) * FULL_SCALE
        resampled = mono if self._table is None else self._resample(mono, self._table)
        return np.asarray(np.clip(np.round(resampled), -32768, 32767), np.int16)

    def _resample(self, samples: npt.NDArray[np.float32], table: Table) -> npt.NDArray[np.float32]:
        self._buffer = np.concatenate((self._buffer, samples))
        reaches = self._begins + len(self._buffer) - self._half
        end = max(self._given, -(-reaches * self._up // self._down))
        positions = np.arange(self._given, end) * self._down  # in parts of an input sample, `up` each
        phases = np.round(positions % self._up * ((len(table) - 1) / self._up)).astype(np.intp)
        first = positions // self._up - (self._half - 1) - self._begins
        heard = self._buffer[first[:, None] + np.arange(2 * self._half)]
        self._given = end
        self._let_go(end * self._down // self._up - (self._half - 1))
        return np.asarray(np.einsum("nk,nk->n", heard, table[phases]), np.float32)

    def _let_go(self, needed: int) -> None:
        """Forget the input before the sample `needed`."""
        self._buffer = self._buffer[needed - self._begins :]
        self._begins = needed


@lru_cache(maxsize=16)
def _filters(up: int, down: int) -> Table:
    """The filter for each phase, (phases + 1, taps): what lies so far after a sample is made of those around it."""
    cutoff = min(1.0, up / down) * ROLL_OFF
    half = math.ceil(ZERO_CROSSINGS / min(1.0, up / down))
    phases = min(up, MAX_PHASES)
    distance = np.arange(1 - half, half + 1) - np.arange(phases + 1)[:, None] / phases
    window = np.i0(KAISER_BETA * np.sqrt(np.maximum(0, 1 - (distance / half) ** 2))) / np.i0(KAISER_BETA)
    filters = np.sinc(cutoff * distance) * window
    return np.asarray(filters / filters.sum(axis=1, keepdims=True), np.float32)
