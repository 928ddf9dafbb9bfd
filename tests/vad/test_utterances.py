import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from vad.utterances import SAMPLE_RATE, Samples, UtteranceCutter, pcm16


@pytest.fixture(scope="module")
def conversation(sample_files: list[Path]) -> Samples:
    """Three spoken queries, with pauses."""
    pause = np.zeros(round(1.5 * SAMPLE_RATE), np.int16)
    queries = [soundfile.read(file, dtype="int16")[0] for file in sample_files[:3]]
    return np.concatenate([pause, *(part for query in queries for part in (query, pause))])


@given(lengths=st.lists(st.integers(0, 40_000), max_size=12))
@settings(max_examples=15, deadline=None)
def test_utterances_are_the_same_however_the_samples_arrive(conversation: Samples, lengths: list[int]) -> None:
    samples = conversation
    cutter = UtteranceCutter()
    pieces = np.split(samples, np.minimum(np.cumsum(lengths, dtype=int), len(samples)))
    found = [utterance for piece in pieces for utterance in cutter.push(piece)] + list(cutter.flush())
    whole = UtteranceCutter()
    expected = [*whole.push(samples), *whole.flush()]
    assert [(u.start, u.end) for u in found] == [(u.start, u.end) for u in expected]
    for utterance, same in zip(found, expected, strict=True):
        np.testing.assert_array_equal(utterance.samples, same.samples)


def test_an_hour_of_silence_needs_little_memory() -> None:
    cutter = UtteranceCutter()
    second = np.zeros(SAMPLE_RATE, np.int16)
    tracemalloc.start()
    try:
        for _ in range(120):
            assert list(cutter.push(second)) == []
        assert tracemalloc.get_traced_memory()[0] < 200_000
    finally:
        tracemalloc.stop()


def test_samples_of_any_size_fit_into_16_bits() -> None:
    samples = np.array([0, 0.5, -1, 1, 7, -np.inf, np.nan], np.float32)
    np.testing.assert_array_equal(pcm16(samples), [0, 16384, -32768, 32767, 32767, -32768, 0])
