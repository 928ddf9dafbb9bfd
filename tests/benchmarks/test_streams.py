"""The streaming benchmark's recordings are what it says, and it measures from what it says."""

import json

import numpy as np
import pytest

from benchmarks.streams import Interims, Listened, Recording, found, thinned
from vad.frames import SAMPLE_RATE

UTTERANCES = [(1.0, 3.0), (4.0, 5.0), (7.0, 8.0)]


def recording() -> Recording:
    """Ten seconds whose samples are 0 in the background and the utterance's number, from 1, within it."""
    samples = np.zeros(10 * SAMPLE_RATE, np.int16)
    for number, (start, end) in enumerate(UTTERANCES, 1):
        samples[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)] = number
    return Recording(samples, UTTERANCES)


def results(start: float, end: float, *, text: str, is_final: bool = False) -> str:
    alternative = {"transcript": text}
    message = {"start": start, "duration": end - start, "is_final": is_final, "stable": None if is_final else text}
    return json.dumps({"type": "Results", "channel": {"alternatives": [alternative]}, **message})


@pytest.mark.parametrize("first", [0, 1, 2])
def test_a_thinned_recording_speaks_where_it_says_for_a_share_of_the_time(first: int) -> None:
    stream = thinned(recording(), 0.25, first, 100)
    numbers = []
    for start, end in stream.utterances:
        spoken = stream.samples[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
        numbers += sorted(set(spoken.tolist()))
    assert numbers == [(first + n) % 3 + 1 for n in range(3)]
    assert np.count_nonzero(stream.samples) == sum(round((end - start) * SAMPLE_RATE) for start, end in UTTERANCES)
    assert stream.seconds == pytest.approx(4 / 0.25, abs=0.01)


def test_a_thinned_recording_is_no_longer_than_asked() -> None:
    assert thinned(recording(), 0.25, 0, 13).utterances == thinned(recording(), 0.25, 0, 100).utterances[:2]


def test_a_delay_runs_from_the_end_of_the_utterance_to_its_final() -> None:
    listened = Listened(recording())
    listened.received = [
        (2.2, results(0.9, 2.0, text="show me", is_final=True)),  # a part of the first: nothing has ended
        (3.6, results(2.1, 3.1, text="hotels", is_final=True)),
        (6.0, results(5.5, 5.8, text="", is_final=True)),  # without words there is nothing to find
        (9.0, results(6.9, 8.1, text="in Oslo", is_final=True)),
        (10.1, results(8.5, 9.0, text="thanks", is_final=True)),
    ]
    result = found(listened)
    assert result.segments == [pytest.approx(s) for s in [(0.9, 2.0), (2.1, 3.1), (6.9, 8.1), (8.5, 9.0)]]
    assert result.delays == pytest.approx([0.6, 1.0])


def test_interims_count_while_the_utterance_lasts() -> None:
    listened = Listened(recording())
    listened.received = [
        (1.5, results(0.9, 1.4, text="Show")),
        (2.0, results(0.9, 1.9, text="Show me")),
        (2.3, results(0.9, 2.2, text="Shoe")),  # takes "Show me" back
        (3.2, results(0.9, 3.0, text="Shoe me hotels")),  # too late to count as a pace
        (3.6, results(0.9, 3.0, text="Shoe me hotels", is_final=True)),
        (4.6, results(3.9, 4.5, text="In")),
    ]
    interims = Interims()
    interims.add(listened)
    assert interims.first == pytest.approx([0.5, 0.6])
    assert interims.gaps == pytest.approx([0.5, 0.3])
    assert interims.taken_back == 1


def test_a_final_takes_back_what_it_does_not_begin_with() -> None:
    listened = Listened(recording())
    listened.received = [
        (1.5, results(0.9, 1.4, text="Show me")),
        (3.6, results(0.9, 3.0, text="show, me hotels", is_final=True)),  # the same words
        (4.5, results(3.9, 4.4, text="In")),
        (5.6, results(3.9, 5.0, text="Inn", is_final=True)),
        (7.5, results(6.9, 7.4, text="Oslo")),
        (8.6, results(6.9, 8.0, text="", is_final=True)),
    ]
    interims = Interims()
    interims.add(listened)
    assert interims.taken_back == 2
