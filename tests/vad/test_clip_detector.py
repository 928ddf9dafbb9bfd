"""The detector on sounds made here, and on a spoken sample: what it must hear, what it must not."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from tests.vad.sounds import RATE, Pcm, hiss, silence, spoken_part
from vad.clip_detector import speech_frames
from vad.endpointer import Endpointer, EndpointerOptions, UtteranceEnded
from vad.frames import FRAME_SAMPLES, FRAME_SECONDS

SPOKEN = Path(__file__).parents[2] / "samples" / "hotels-in-reykjavik.flac"


@pytest.fixture(scope="module")
def spoken() -> Pcm:
    """A query in a quiet room; silence at both ends."""
    samples, _ = soundfile.read(SPOKEN, dtype="int16")
    return samples


def utterances(pcm: Pcm) -> list[tuple[float, float]]:
    """Start and end, in seconds, of what the default options cut out."""
    endpointer = Endpointer(EndpointerOptions(), FRAME_SECONDS)
    events = [event for frame in speech_frames(pcm) for event in endpointer.push(bool(frame))]
    ended = [event for event in events + endpointer.flush() if isinstance(event, UtteranceEnded)]
    return [(event.start * FRAME_SECONDS, event.end * FRAME_SECONDS) for event in ended]


def test_speech_is_heard(spoken: Pcm) -> None:
    decisions = speech_frames(spoken)
    assert decisions.dtype == np.bool_
    assert len(decisions) == len(spoken) // FRAME_SAMPLES
    assert 0.6 < decisions.sum() * FRAME_SECONDS < len(spoken) / RATE


@pytest.mark.parametrize("gain_db", [0, -20, -30])
def test_a_quiet_voice_is_heard_as_well(spoken: Pcm, gain_db: int) -> None:
    quiet = (spoken * 10 ** (gain_db / 20)).astype(np.int16)
    assert [round(start, 1) for start, _ in utterances(quiet)] == [0.2]


def test_a_recording_that_starts_in_mid_word_loses_nothing_of_it(spoken: Pcm) -> None:
    decisions = speech_frames(spoken_part(spoken))
    assert decisions[:10].sum() >= 8


def test_digital_silence_is_not_speech() -> None:
    assert not speech_frames(silence(3)).any()


@pytest.mark.parametrize("dbfs", [-50, -30, -15])
def test_steady_noise_is_not_speech_once_it_is_known(dbfs: float) -> None:
    """WebRTC VAD alone takes loud hiss for speech for as long as it lasts."""
    decisions = speech_frames(hiss(6, dbfs))
    assert not decisions[round(1 / FRAME_SECONDS) :].any()


def test_noise_that_begins_later_is_speech_only_until_it_is_known() -> None:
    decisions = speech_frames(np.concatenate([silence(3), hiss(8, -20)]))
    assert not decisions[round(6.5 / FRAME_SECONDS) :].any()


def test_speech_is_heard_in_steady_noise_10_db_below_it(spoken: Pcm) -> None:
    voice = spoken_part(spoken)
    scene = np.concatenate([silence(3), voice, silence(2)])
    noise = hiss(len(scene) / RATE, 20 * np.log10(np.std(voice) / 32768) - 10)
    *_, (start, end) = utterances(scene + noise)
    assert start < 3
    assert end > 3 + len(voice) / RATE - 0.1


def test_speech_after_a_long_silence_is_heard_from_its_start(spoken: Pcm) -> None:
    voice = spoken_part(spoken)
    decisions = speech_frames(np.concatenate([silence(10), voice]))
    assert decisions[500:510].sum() >= 8


def test_a_recording_shorter_than_a_frame_has_no_decisions() -> None:
    assert speech_frames(np.zeros(319, np.int16)).shape == (0,)


@pytest.mark.parametrize("wrong", [np.zeros(400, np.float32), np.zeros((400, 2), np.int16)])
def test_samples_that_are_not_one_row_of_int16_are_refused(wrong: npt.NDArray[np.generic]) -> None:
    with pytest.raises(ValueError, match="one row of int16"):
        speech_frames(wrong)  # type: ignore[arg-type]
