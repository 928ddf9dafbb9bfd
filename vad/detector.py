"""Is this 20 ms frame speech? WebRTC's detector, with the level above the background as second evidence."""

import numpy as np
import numpy.typing as npt
import webrtcvad

from vad.noise_floor import NoiseFloor, voice_level, voice_levels

FRAME_SECONDS = 0.02
SAMPLE_RATES = (8000, 16000, 32000, 48000)


class SpeechDetector:
    """Decides, frame by frame, whether one stream holds speech; one detector per stream, as it remembers.

    A frame is speech when WebRTC VAD says so and it stands out of the background (`vad.noise_floor`). During
    a stream's first second the background is not known and WebRTC's word alone counts.

    `sample_rate` is 8000, 16000, 32000 or 48000 Hz; `aggressiveness` goes from 0 (lets most pass) to 3.
    Raises `ValueError` for anything else.
    """

    def __init__(self, sample_rate: int, aggressiveness: int = 2) -> None:
        if sample_rate not in SAMPLE_RATES:
            rates = ", ".join(map(str, SAMPLE_RATES))
            raise ValueError(f"sample_rate {sample_rate} is not one of {rates} Hz: resample to one of these first")
        if aggressiveness not in range(4):
            raise ValueError(f"aggressiveness {aggressiveness} is not 0, 1, 2 or 3")
        self.sample_rate = sample_rate
        self.frame_samples = round(sample_rate * FRAME_SECONDS)
        self._webrtc = webrtcvad.Vad(aggressiveness)
        self._noise_floor = NoiseFloor(FRAME_SECONDS)

    def is_speech(self, frame: bytes) -> bool:
        """Whether the stream's next frame is speech.

        `frame` is 20 ms of mono PCM, signed 16 bit little-endian: `frame_samples` samples of two bytes.
        Raises `ValueError` for any other length.
        """
        if len(frame) != 2 * self.frame_samples:
            raise ValueError(
                f"a frame at {self.sample_rate} Hz is {2 * self.frame_samples} bytes (20 ms of 16 bit mono), "
                f"not {len(frame)}"
            )
        return self.decide(frame, voice_level(np.frombuffer(frame, dtype="<i2"), self.sample_rate))

    def decide(self, frame: bytes, level: float) -> bool:
        """The same where the frame's `voice_level` is known already."""
        speech_like: bool = self._webrtc.is_speech(frame, self.sample_rate)
        return self._noise_floor.stands_out(level, speech_like) and speech_like


def speech_frames(
    pcm16: npt.NDArray[np.int16],
    sample_rate: int,
    aggressiveness: int = 2,
    levels: npt.NDArray[np.float64] | None = None,
) -> npt.NDArray[np.bool_]:
    """The decision for each full 20 ms frame of a mono recording: (samples,) int16 → (frames,) bool.

    `levels` are the frames' `voice_levels`, if they are known.

    Raises `ValueError` for a rate the detector does not take, or samples that are not one row of int16.
    """
    if pcm16.ndim != 1 or pcm16.dtype != np.int16:
        raise ValueError(f"expected one row of int16 samples, not {pcm16.dtype} of shape {pcm16.shape}")
    detector = SpeechDetector(sample_rate, aggressiveness)
    frames = len(pcm16) // detector.frame_samples
    rows = pcm16[: frames * detector.frame_samples].astype("<i2").reshape(frames, detector.frame_samples)
    if levels is None:
        levels = voice_levels(rows, sample_rate)
    decisions = (detector.decide(row.tobytes(), level) for row, level in zip(rows, levels, strict=True))
    return np.fromiter(decisions, dtype=np.bool_, count=frames)
