"""A text that says the same over and over is noticed and cut where it may end."""

import math
from pathlib import Path

import numpy as np
import pytest

from asr.audio.decode import SAMPLE_RATE, Samples, decode_audio
from asr.decoding.hypothesis import DecodingOptions
from asr.decoding.repetition import RepetitionDetector
from asr.engine.engine import Engine
from asr.engine.jobs import DecodedClip
from asr.whisper.checkpoints import Checkpoint
from tests.asr.as_served import as_served

WAIT = 60.0
TOTAL = 12  # times that a word is said


def watched(tokens: list[int], ends: dict[int, float], seconds: float = 4.0) -> RepetitionDetector:
    """A text as it grows until it is cut; it ends with these probabilities after so many tokens, else with 0.001."""
    watch = RepetitionDetector(seconds)
    for count in range(len(tokens) + 1):
        watch.note(tokens[:count], math.log(ends.get(count, 0.001)))
        if watch.end is not None:
            break
    return watch


@pytest.mark.parametrize("length", [1, 2, 3, 7, 24])
def test_rounds_of_any_length_are_a_loop(length: int) -> None:
    before, a_round = [100, 101, 102], list(range(length))
    assert watched([*before, *a_round * 9], {}).loop == (3, length)


@pytest.mark.parametrize(
    "tokens",
    [
        [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
        [1, 2, 1, 2, 1, 2],  # three times
        [7, 7, 7, 7, 7, 7, 7],  # a telephone number may have seven alike
        [1, 2, 1, 2, 1, 2, 1, 2, 3],  # it is over
    ],
)
def test_what_people_say_is_none(tokens: list[int]) -> None:
    watch = watched(tokens, {})
    assert watch.loop is None
    assert watch.end is None


def test_a_loop_is_cut_where_its_end_was_likeliest() -> None:
    rising = {count: 0.01 * 1.1**count for count in range(24)}
    ends = rising | {5: 0.9, 25: rising[23], 31: 0.05}  # five tokens come too soon for four seconds
    assert watched([1, 2] * 60, ends).end == 21  # as likely as after 23


def test_a_loop_whose_end_is_never_likely_is_no_longer_than_its_sound() -> None:
    watch = watched([1, 2] * 200, {count: 0.001 * 1.02**count for count in range(400)})
    assert watch.end is not None
    assert watch.end <= 8 + 8 * 4


def heard(checkpoint: Checkpoint, samples: Samples) -> DecodedClip:
    with Engine(checkpoint, as_served(checkpoint)) as engine:
        return engine.submit([samples], DecodingOptions()).result(WAIT)


def test_a_word_that_is_said_twelve_times_is_written_about_as_often(base: Checkpoint, sample_files: list[Path]) -> None:
    """It was written a hundred times, for as long as the text may be, and then again with the whole window."""
    (file,) = [file for file in sample_files if "singapore" in file.stem]
    singapore = decode_audio(file.read_bytes()).samples
    end = int(np.flatnonzero(np.abs(singapore) > 0.02)[-1])
    word = np.pad(singapore[end - SAMPLE_RATE // 2 : end + 640], (0, 1600))
    (window,) = heard(base, np.tile(word, TOTAL)).windows
    assert window.looped
    assert TOTAL / 2 <= window.best.text.count("Singapore") <= 1.5 * TOTAL
    assert window.best.text.replace("Singapore", "").strip(" ,.") == ""
