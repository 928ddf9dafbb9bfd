"""Is someone speaking to this microphone? What opens an utterance and keeps it open, also where dishes clatter."""

import math
from collections import deque
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import webrtcvad

from vad.frames import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE
from vad.noise_floor import SILENT_DBFS, NoiseFloor, voice_levels
from vad.voicing import periodicity

AGGRESSIVENESS = 3
FAINT_DBFS = -42.0  # WebRTC VAD takes for nothing much of what stays below; nearer speech does so in few frames
FAINT_FACTOR = 10
VOICED = 0.77  # half of the frames of speech are as periodic; of clatter that passes for speech, one in ten
VOICING_FRAMES = 10  # consonants without voice are shorter than this
CONTINUING_FRAMES = 5  # ... and so are the closures of plosives
CONTINUING_DB = 1.0  # the end of a word fades into the background
BESIDE_DB = 15.0  # the loudest vowels of one person's sentence seldom differ by more; a television across the room does
LOUDNESS_FRAMES = 10  # closures within words are shorter; also how long no frame must be loud for all to be faint
LOUD_FRAMES = 3  # of these: two alone may be a knock
FORGETTING_DB = 3.0  # a second: after the loud, somebody further away is heard soon
FORGOTTEN_FRAMES = 150  # ... and after three seconds in any case: a shout leaves nobody unheard

Frames = npt.NDArray[np.int16]


class Decision(NamedTuple):
    """Of one frame. What is tentative passes for speech and is loud, but nothing voiced has been heard with it yet."""

    is_speech: bool
    is_tentative: bool


class VoiceDetector:
    """Decides, frame by frame, whether the stream at 16 kHz holds someone speaking to the microphone.

    Three pieces of evidence must agree for speech to open: WebRTC VAD's word, a level that stands out of the
    background (`vad.noise_floor`), and vocal folds that were heard within the last 0.2 s (`vad.voicing`). While it is
    continuing, its level may fall to little more than the background's. A voice or a tune far below whoever has just
    spoken is beside the microphone, and no speech.
    """

    def __init__(self) -> None:
        self._webrtc = _WebRtcVad()
        self._noise_floor = NoiseFloor(FRAME_SECONDS)
        self._previous = np.zeros(FRAME_SAMPLES, np.int16)
        self._speaker = _SpeakerLevel()
        self._since_voiced = VOICING_FRAMES
        self._since_speech = CONTINUING_FRAMES

    def decide(self, frames: Frames) -> list[Decision]:
        """Of each of the stream's next frames, shape (n, `FRAME_SAMPLES`)."""
        levels = voice_levels(frames, SAMPLE_RATE).tolist()
        return [self._decide(frame, level) for frame, level in zip(frames, levels, strict=True)]

    def _decide(self, frame: Frames, level: float) -> Decision:
        speech_like = self._webrtc.is_speech(frame, level)
        stands_out = self._noise_floor.stands_out(level, speech_like)
        opening = speech_like and stands_out
        continuing = speech_like and self._is_speaking and level > self._noise_floor.level + CONTINUING_DB
        has_voice = self._has_voice(frame, may_be_voiced=opening)
        is_near = self._speaker.is_near(level)
        is_speech = is_near and has_voice and (opening or continuing)
        self._speaker.follow(is_speech=is_speech)
        self._since_speech = 0 if is_speech else self._since_speech + 1
        return Decision(is_speech, is_tentative=is_near and opening and not has_voice)

    @property
    def _is_speaking(self) -> bool:
        """Whether one of the last frames was speech."""
        return self._since_speech < CONTINUING_FRAMES

    def _has_voice(self, frame: Frames, *, may_be_voiced: bool) -> bool:
        """Whether vocal folds are heard in this frame, or were in one of the last."""
        is_voiced = may_be_voiced and periodicity(np.concatenate((self._previous, frame)), SAMPLE_RATE) >= VOICED
        self._since_voiced = 0 if is_voiced else self._since_voiced + 1
        self._previous = frame
        return self._since_voiced < VOICING_FRAMES


class _WebRtcVad:
    """WebRTC's detector, also for faint speech: a second one is given all frames at `FAINT_FACTOR` times their level.

    Each learns the background at one level, so which of them is asked may change from frame to frame.
    """

    def __init__(self) -> None:
        self._plain = webrtcvad.Vad(AGGRESSIVENESS)
        self._amplified = webrtcvad.Vad(AGGRESSIVENESS)
        self._recent: deque[float] = deque(maxlen=LOUDNESS_FRAMES)

    def is_speech(self, frame: Frames, level: float) -> bool:
        """What the detector says of the next frame, (`FRAME_SAMPLES`,), of `level` dBFS."""
        self._recent.append(level)
        louder = (FAINT_FACTOR * frame.astype(np.int32)).clip(-32768, 32767).astype(np.int16)
        plain: bool = self._plain.is_speech(frame.tobytes(), SAMPLE_RATE)
        amplified: bool = self._amplified.is_speech(louder.tobytes(), SAMPLE_RATE)
        loudest = max(self._recent)
        return amplified and loudest > SILENT_DBFS if loudest < FAINT_DBFS else plain


class _SpeakerLevel:
    """How loud, in dBFS, whoever speaks to the microphone has been in the last seconds."""

    def __init__(self) -> None:
        self._level = -math.inf
        self._recent: deque[float] = deque(maxlen=LOUDNESS_FRAMES)
        self._since_speech = 0

    def is_near(self, level: float) -> bool:
        """Whether the last frames, with the next one of `level` dBFS, may be of the same speaker."""
        self._recent.append(level)
        return max(self._recent) >= self._level - BESIDE_DB

    def follow(self, *, is_speech: bool) -> None:
        """What the frame turned out to be."""
        self._level -= FORGETTING_DB * FRAME_SECONDS
        self._since_speech = 0 if is_speech else self._since_speech + 1
        if self._since_speech == FORGOTTEN_FRAMES:
            self._level = -math.inf
        if is_speech and len(self._recent) >= LOUD_FRAMES:
            self._level = max(self._level, sorted(self._recent)[-LOUD_FRAMES])
