"""Where to cut what is too long: at a pause, so that no word is torn."""

import numpy as np
import numpy.typing as npt


def middle_of_longest_pause(sound: npt.NDArray[np.bool_]) -> int:
    """The middle of the longest run of frames without sound, the first of equals; the end of all where there is none.

    (frames,) bool → frames before the cut, at least one if there are any.
    """
    edges = np.flatnonzero(np.diff(np.concatenate(([True], sound, [True])).astype(np.int8)))
    if not len(edges):
        return len(sound)
    starts, ends = edges[::2], edges[1::2]
    longest = int(np.argmax(ends - starts))
    return max(1, int(starts[longest] + ends[longest]) // 2)
