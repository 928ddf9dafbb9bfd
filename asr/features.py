"""Samples → log-mel, the picture of sound that Whisper reads (Radford et al. 2022, section 2.2)."""

import math
from functools import lru_cache
from typing import cast

import torch
import torchaudio
from torch import Tensor
from torch.nn import functional

from asr.audio import SAMPLE_RATE, Samples

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
    """Triangular filters on Slaney's mel scale, each of unit area; shape (n_mels, 201)."""
    filters = torchaudio.functional.melscale_fbanks(
        n_freqs=N_FFT // 2 + 1,
        f_min=0.0,
        f_max=SAMPLE_RATE / 2,
        n_mels=n_mels,
        sample_rate=SAMPLE_RATE,
        norm="slaney",
        mel_scale="slaney",
    )
    return cast(Tensor, filters.T.contiguous().to(device))
