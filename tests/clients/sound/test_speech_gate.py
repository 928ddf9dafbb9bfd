"""What the edge sends of what it hears."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from clients.sound.speech_gate import Speech, SpeechGate

RATE = 16_000
BLOCK = 640  # bytes: 20 ms


@pytest.fixture
def conversation(question: Path) -> bytes:
    """The same query twice, with silence around."""
    samples, _ = soundfile.read(question, dtype="<i2")
    silence = np.zeros(3 * RATE, "<i2")
    return np.concatenate([silence, samples, silence, samples, silence]).tobytes()


def through(pcm: bytes, block: int = BLOCK) -> list[Speech]:
    gate = SpeechGate()
    passed = [speech for at in range(0, len(pcm), block) for speech in gate.push(pcm[at : at + block])]
    return [*passed, *gate.flush()]


def test_speech_passes_as_it_was_and_at_its_time(conversation: bytes) -> None:
    passed = through(conversation)
    assert sum(speech.is_last for speech in passed) == 2
    assert 0.2 < sum(len(speech.audio) for speech in passed) / len(conversation) < 0.6
    for speech in passed:
        at = 2 * round(speech.start * RATE)
        assert conversation[at : at + len(speech.audio)] == speech.audio


def test_within_an_utterance_nothing_is_missing_and_nothing_comes_twice(conversation: bytes) -> None:
    passed = through(conversation)
    last = next(at for at, speech in enumerate(passed) if speech.is_last)
    for before, after in pairwise(passed[: last + 1]):
        assert after.start == pytest.approx(before.start + len(before.audio) / (2 * RATE), abs=1e-6)


def test_speech_passes_while_it_is_spoken(conversation: bytes) -> None:
    gate = SpeechGate()
    ends = [
        (at + BLOCK - 2 * RATE * speech.start) / (2 * RATE)
        for at in range(0, len(conversation), BLOCK)
        for speech in gate.push(conversation[at : at + BLOCK])
    ]
    assert max(ends) < 1.2  # seconds from the first sample of a piece to when it passes


def test_the_post_roll_passes_as_it_is_heard_and_the_end_adds_nothing(conversation: bytes) -> None:
    """So that the server hears that speech has paused, before it is told that the utterance is over."""
    gate = SpeechGate()
    passed = [
        (at + BLOCK, speech)
        for at in range(0, len(conversation), BLOCK)
        for speech in gate.push(conversation[at : at + BLOCK])
    ]
    last = next(at for at, (_, speech) in enumerate(passed) if speech.is_last)
    assert passed[last][1].audio == b""
    waited = [heard - 2 * RATE * speech.start - len(speech.audio) for heard, speech in passed[last - 10 : last]]
    assert waited == pytest.approx([0] * 10, abs=1)
    assert passed[last][0] - passed[last - 1][0] == round((0.64 - 0.3) * 2 * RATE)


def test_the_size_of_the_blocks_changes_nothing(conversation: bytes) -> None:
    whole = b"".join(speech.audio for speech in through(conversation))
    assert b"".join(speech.audio for speech in through(conversation, 99_999)) == whole


def test_an_utterance_that_is_open_at_the_end_is_ended(question: Path) -> None:
    samples, _ = soundfile.read(question, dtype="<i2")
    passed = through(samples[: RATE + RATE // 2].tobytes())
    assert passed
    assert [speech.is_last for speech in passed] == [False] * (len(passed) - 1) + [True]


def test_silence_does_not_pass() -> None:
    assert through(bytes(10 * 2 * RATE)) == []
