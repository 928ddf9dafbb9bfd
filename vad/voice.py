"""Is someone speaking to this microphone? What opens an utterance and keeps it open, also where dishes clatter."""

import numpy as np
import numpy.typing as npt
import webrtcvad

from vad.frames import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE
from vad.noise_floor import NoiseFloor, voice_levels
from vad.voicing import periodicity

AGGRESSIVENESS = 3
VOICED = 0.77  # half of the frames of speech are as periodic; of clatter that passes for speech, one in ten
VOICING_FRAMES = 10  # consonants without voice are shorter than this
CONTINUING_FRAMES = 5  # ... and so are the closures of plosives
CONTINUING_DB = 1.0  # the end of a word fades into the background

Frames = npt.NDArray[np.int16]


class VoiceDetector:
    """Decides, frame by frame, whether the stream at 16 kHz holds someone speaking to the microphone.

    Three pieces of evidence must agree: WebRTC VAD's word, a level that stands out of the background
    (`vad.noise_floor`), and vocal folds that were heard within the last 0.2 s (`vad.voicing`). Once speech is
    heard and as long as it goes on, its level may fall to little more than the background's.
    """

    def __init__(self) -> None:
        self._webrtc = webrtcvad.Vad(AGGRESSIVENESS)
        self._noise_floor = NoiseFloor(FRAME_SECONDS)
        self._previous = np.zeros(FRAME_SAMPLES, np.int16)
        self._since_voiced = VOICING_FRAMES
        self._since_speech = CONTINUING_FRAMES

    def decide(self, frames: Frames) -> list[bool]:
        """For each of the stream's next frames, shape (n, `FRAME_SAMPLES`), whether it is speech."""
        levels = voice_levels(frames, SAMPLE_RATE).tolist()
        return [self._is_speech(frame, level) for frame, level in zip(frames, levels, strict=True)]

    def _is_speech(self, frame: Frames, level: float) -> bool:
        speech_like: bool = self._webrtc.is_speech(frame.tobytes(), SAMPLE_RATE)
        stands_out = self._noise_floor.stands_out(level, speech_like)
        voiced = speech_like and stands_out and self._is_voiced(frame)
        self._since_voiced = 0 if voiced else self._since_voiced + 1
        self._previous = frame
        continues = self._since_speech < CONTINUING_FRAMES and level > self._noise_floor.level + CONTINUING_DB
        is_speech = speech_like and self._since_voiced < VOICING_FRAMES and (stands_out or continues)
        self._since_speech = 0 if is_speech else self._since_speech + 1
        return is_speech

    def _is_voiced(self, frame: Frames) -> bool:
        return periodicity(np.concatenate((self._previous, frame)), SAMPLE_RATE) >= VOICED
