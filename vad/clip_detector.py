"""Which 20 ms frames of a recording are speech? WebRTC's detector, with the level above the background beside it."""

import numpy as np
import numpy.typing as npt
import webrtcvad

from vad.frames import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE
from vad.noise_floor import NoiseFloor, voice_levels

AGGRESSIVENESS = 2  # from 0, which lets most pass, to 3


def speech_frames(pcm16: npt.NDArray[np.int16], levels: npt.NDArray[np.float64] | None = None) -> npt.NDArray[np.bool_]:
    """The decision for each full 20 ms frame of a mono recording at 16 kHz: (samples,) int16 → (frames,) bool.

    A frame is speech when WebRTC VAD says so and it stands out of the background (`vad.noise_floor`). During the first
    second the background is not known and WebRTC's word alone counts. `levels` are the frames' `voice_levels`, if they
    are known.

    Raises `ValueError` for samples that are not one row of int16.
    """
    if pcm16.ndim != 1 or pcm16.dtype != np.int16:
        raise ValueError(f"expected one row of int16 samples, not {pcm16.dtype} of shape {pcm16.shape}")
    frames = len(pcm16) // FRAME_SAMPLES
    rows = pcm16[: frames * FRAME_SAMPLES].astype("<i2").reshape(frames, FRAME_SAMPLES)
    if levels is None:
        levels = voice_levels(rows, SAMPLE_RATE)
    webrtc, noise_floor = webrtcvad.Vad(AGGRESSIVENESS), NoiseFloor(FRAME_SECONDS)

    def is_speech(row: npt.NDArray[np.int16], level: float) -> bool:
        speech_like: bool = webrtc.is_speech(row.tobytes(), SAMPLE_RATE)
        return noise_floor.stands_out(level, speech_like) and speech_like

    return np.fromiter(map(is_speech, rows, levels), dtype=np.bool_, count=frames)
