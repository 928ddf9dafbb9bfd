import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vad.held_audio import SMALLEST, HeldAudio

steps = st.lists(st.tuples(st.integers(0, SMALLEST), st.floats(0, 1)), max_size=30)


@given(steps=steps)
def test_what_is_held_is_what_was_appended_and_what_was_handed_out_stays(steps: list[tuple[int, float]]) -> None:
    audio = HeldAudio()
    handed_out: list[tuple[int, np.ndarray]] = []
    for length, share in steps:
        audio.append(np.arange(audio.end, audio.end + length).astype(np.int16))
        handed_out.append((audio.start, audio.between(audio.start, audio.end)))
        audio.let_go(audio.start + round(share * (audio.end - audio.start)))
    for start, samples in handed_out:
        np.testing.assert_array_equal(samples, np.arange(start, start + len(samples)).astype(np.int16))


def test_what_is_handed_out_is_not_a_copy() -> None:
    audio = HeldAudio()
    audio.append(np.ones(100, np.int16))
    assert np.shares_memory(audio.between(0, 50), audio.between(10, 100))
