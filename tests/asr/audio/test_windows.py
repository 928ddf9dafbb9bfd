"""Long audio is cut at pauses into windows the model can take, and no speech is lost."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.audio.decode import SAMPLE_RATE
from asr.audio.windows import FRAME_SAMPLES, LONGEST_SECONDS, split_at_pauses


def recording(*spans: tuple[float, bool]) -> tuple[np.ndarray, np.ndarray]:
    """Samples that count up, and speech flags, from (seconds, is_speech) spans."""
    speech = np.concatenate([np.full(round(seconds * 50), spoken) for seconds, spoken in spans])
    return np.arange(len(speech) * FRAME_SAMPLES, dtype=np.float64), speech


def test_a_short_clip_is_one_window() -> None:
    samples, speech = recording((0.5, False), (2, True), (0.5, False))
    (window,) = split_at_pauses(samples, speech)
    assert np.array_equal(window, samples)


def test_the_cut_is_in_the_longest_pause() -> None:
    samples, speech = recording((18, True), (0.2, False), (4, True), (1.0, False), (20, True))
    first, second = split_at_pauses(samples, speech)
    assert len(first) / SAMPLE_RATE == 22.7
    assert np.array_equal(np.concatenate([first, second]), samples)


def test_speech_without_a_pause_is_cut_where_the_window_ends() -> None:
    samples, speech = recording((70, True))
    windows = split_at_pauses(samples, speech)
    assert [len(window) / SAMPLE_RATE for window in windows] == [29.5, 29.5, 11]


def test_windows_without_speech_are_left_out() -> None:
    samples, speech = recording((60, False), (2, True), (60, False))
    (window,) = split_at_pauses(samples, speech)
    assert window[0] <= 60 * SAMPLE_RATE
    assert window[-1] >= 62 * SAMPLE_RATE - 1


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.floats(0.02, 40), st.booleans()), min_size=1, max_size=5), st.integers(0, 319))
def test_every_frame_of_speech_is_in_a_window(spans: list[tuple[float, bool]], rest: int) -> None:
    samples, speech = recording(*spans)
    samples = np.concatenate([samples, len(samples) + np.arange(rest)])
    windows = split_at_pauses(samples, speech)
    assert all(0 < len(window) <= LONGEST_SECONDS * SAMPLE_RATE for window in windows)
    kept = np.concatenate(windows) if windows else np.empty(0)
    assert (np.diff(kept) > 0).all()
    covered = np.zeros(len(samples), np.bool_)
    covered[kept.astype(int)] = True
    assert covered[np.flatnonzero(speech) * FRAME_SAMPLES].all()
