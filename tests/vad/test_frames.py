import pytest
from hypothesis import given
from hypothesis import strategies as st

from vad.frames import FrameCutter


@given(pieces=st.lists(st.binary(max_size=30)), frame_bytes=st.integers(1, 12))
def test_frames_are_the_same_however_the_bytes_arrive(pieces: list[bytes], frame_bytes: int) -> None:
    cutter = FrameCutter(frame_bytes)
    frames = [frame for piece in pieces for frame in cutter.push(piece)]
    assert frames == FrameCutter(frame_bytes).push(b"".join(pieces))
    assert {len(frame) for frame in frames} <= {frame_bytes}
    assert b"".join(frames) + cutter.rest == b"".join(pieces)
    assert len(cutter.rest) < frame_bytes


def test_a_frame_without_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one byte"):
        FrameCutter(0)
