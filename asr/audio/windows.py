"""Audio → the windows that are recognised: less than 30 s, cut at pauses so that no word is torn, without idle ends."""

import numpy as np
import numpy.typing as npt

from asr.audio.decode import Samples
from vad.frames import FRAME_SAMPLES, FRAME_SECONDS
from vad.pauses import middle_of_longest_pause

# The model takes 30 s. In a window that is full to its last frame it finds no end: of three such cuts through speech it
# heard one to the end, of the same ones an eighth of a second shorter all.
LONGEST_SECONDS = 29.5
WINDOW_FRAMES = round(LONGEST_SECONDS / FRAME_SECONDS)
IDLE_FRAMES = round(0.5 / FRAME_SECONDS)  # before and after speech that stay: soft sounds pass for none
# With a longer pause two windows are quicker, and nothing is made up of what lies between.
LONG_PAUSE_FRAMES = round(3.0 / FRAME_SECONDS)
EARLIEST_CUT = WINDOW_FRAMES // 2  # a window is at least half full, however long the pauses before


def split_at_pauses(samples: Samples, speech: npt.NDArray[np.bool_]) -> list[Samples]:
    """Cut samples (n,) at 16 kHz into windows; `speech` tells for each 20 ms frame whether it is speech.

    Windows without any speech are left out.
    """
    windows = []
    start = 0
    while len(samples) - start * FRAME_SAMPLES > WINDOW_FRAMES * FRAME_SAMPLES:
        cut = start + EARLIEST_CUT + middle_of_longest_pause(speech[start + EARLIEST_CUT : start + WINDOW_FRAMES])
        windows.append((start, cut))
        start = cut
    windows.append((start, max(len(speech), start) + 1))
    return [
        samples[first * FRAME_SAMPLES : last * FRAME_SAMPLES] for first, last in windows if speech[first:last].any()
    ]


def spoken_stretches(speech: npt.NDArray[np.bool_], *, longest_pause: int = LONG_PAUSE_FRAMES) -> list[tuple[int, int]]:
    """Where speech is, from a little before its first frame to a little after its last, with shorter pauses in it.

    `speech` (frames,) tells for each 20 ms frame whether it is speech. `longest_pause` are the most frames between two
    of one stretch. Gives the first frame of each stretch and the one after its last.
    """
    spoken = np.flatnonzero(speech)
    if not len(spoken):
        return []
    gaps = np.flatnonzero(np.diff(spoken) > longest_pause)
    firsts, lasts = spoken[[0, *(gaps + 1)]], spoken[[*gaps, -1]]
    return [
        (max(int(first) - IDLE_FRAMES, 0), min(int(last) + 1 + IDLE_FRAMES, len(speech)))
        for first, last in zip(firsts, lasts, strict=True)
    ]
