"""Samples → log-mel, the picture of sound that Whisper reads (Radford et al. 2022, section 2.2)."""

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from asr.audio.decode import SAMPLE_RATE, Samples

N_FFT = 400  # samples: 25 ms
HOP_LENGTH = 160  # samples: 10 ms
WINDOW_SECONDS = 30
WINDOW_SAMPLES = WINDOW_SECONDS * SAMPLE_RATE
WINDOW_FRAMES = WINDOW_SAMPLES // HOP_LENGTH  # 3000
DYNAMIC_RANGE = 8.0  # decades of power kept below the loudest bin
SCALED_RANGE = DYNAMIC_RANGE / 4.0  # the same as log-mel is scaled
LEAST_POWER = 1e-10
CPU = torch.device("cpu")


def frame_count(n_samples: int) -> int:
    """How many frames of log-mel so many samples reach into."""
    return min(-(-(n_samples + N_FFT // 2) // HOP_LENGTH), WINDOW_FRAMES)


def log_mel_spectrogram(samples: Samples, n_mels: int, device: torch.device = CPU) -> Tensor:
    """Log-mel of at most 30 s of samples, shape (n,), at 16 kHz: shape (n_mels, frames), as far as the samples reach.

    Power is compressed to log10, cut off eight decades below its peak and scaled to about [-1, 1]. It is computed, and
    stays, on the device.
    """
    if len(samples) > WINDOW_SAMPLES:
        raise ValueError(f"A window holds {WINDOW_SAMPLES} samples, not {len(samples)}.")
    frames = frame_count(len(samples))
    seen = min(frames * HOP_LENGTH + N_FFT, WINDOW_SAMPLES)
    padded = functional.pad(torch.from_numpy(samples).to(device), (0, seen - len(samples)))
    spectrum = torch.stft(padded, N_FFT, HOP_LENGTH, window=_hann_window(device), return_complex=True)
    power = spectrum[:, :frames].abs() ** 2
    log_mel = (mel_filters(n_mels, device) @ power).clamp(min=LEAST_POWER).log10()
    log_mel = torch.maximum(log_mel, log_mel.max() - DYNAMIC_RANGE)
    return (log_mel + 4.0) / 4.0


def padded_to_window(log_mel: Tensor) -> Tensor:
    """Log-mel (n_mels, frames) followed by digital silence, as the model was trained: (n_mels, 3000)."""
    silence = (log_mel.max() - SCALED_RANGE).clamp(min=(math.log10(LEAST_POWER) + 4.0) / 4.0)
    return torch.cat((log_mel, silence.expand(len(log_mel), WINDOW_FRAMES - log_mel.shape[1])), dim=1)


@lru_cache
def _hann_window(device: torch.device) -> Tensor:
    return torch.hann_window(N_FFT, device=device)


@lru_cache
def mel_filters(n_mels: int, device: torch.device = CPU) -> Tensor:
    """Triangular filters on Slaney's mel scale, each of unit area; shape (n_mels, 201).

    Each rises from the centre of the one before to its own and falls to the centre of the one after. The centres, and
    the ends of the first and the last, are equally far apart in mels (Slaney, Auditory Toolbox, 1998: `mfcc.m`).
    """
    frequencies = torch.linspace(0, SAMPLE_RATE / 2, N_FFT // 2 + 1, dtype=torch.float64)
    points = _slaney_hertz(torch.linspace(0, _slaney_mels(SAMPLE_RATE / 2), n_mels + 2, dtype=torch.float64))
    below, centre, above = (points[i : i + n_mels, None] for i in range(3))
    rising = (frequencies - below) / (centre - below)
    falling = (above - frequencies) / (above - centre)
    filters = torch.minimum(rising, falling).clamp(min=0) * 2 / (above - below)
    return filters.float().to(device)


# Slaney's mels: 200/3 Hz each up to 1000 Hz, and above it 27 of them, equal in ratio, to a factor of 6.4.
_LINEAR_HERTZ = 200 / 3
_LINEAR_END = 1000.0
_LOG_STEP = math.log(6.4) / 27


def _slaney_mels(hertz: float) -> float:
    """Of a frequency above 1000 Hz."""
    return _LINEAR_END / _LINEAR_HERTZ + math.log(hertz / _LINEAR_END) / _LOG_STEP


def _slaney_hertz(mels: Tensor) -> Tensor:
    above = mels - _LINEAR_END / _LINEAR_HERTZ
    return torch.where(above < 0, mels * _LINEAR_HERTZ, _LINEAR_END * torch.exp(above * _LOG_STEP))
