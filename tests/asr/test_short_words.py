"""One short word is heard wherever it lies in a recording, how loud it is, and whatever room it was said in."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.audio.decode import SAMPLE_RATE, Samples, decode_audio
from asr.engine.engine import Engine
from asr.transcriber import Transcriber
from asr.transcript import Transcript
from asr.whisper.checkpoints import Checkpoint
from tests.asr.noises import at_level, coloured
from tests.asr.recordings import with_sndfile

WORDS = sorted((Path(__file__).parents[1] / "recordings" / "words").glob("*.flac"))
MISHEARD = 3  # of ten: a short word is often taken for another


@pytest.fixture(scope="module")
def transcriber(tiny_en: Checkpoint):
    with Engine(tiny_en) as engine:
        yield Transcriber(engine)


def in_silence(before: float, after: float) -> Callable[[Samples], Samples]:
    def scene(word: Samples) -> Samples:
        return np.pad(word, (round(before * SAMPLE_RATE), round(after * SAMPLE_RATE)))

    return scene


def in_a_room(seconds: float, dbfs: float) -> Callable[[Samples], Samples]:
    """Noise as of a quiet room, with the word in its middle."""

    def scene(word: Samples) -> Samples:
        room = at_level(coloured(np.random.default_rng(3), round(seconds * SAMPLE_RATE), 1), dbfs)
        middle = (len(room) - len(word)) // 2
        room[middle : middle + len(word)] += word
        return room

    return scene


def faint(word: Samples) -> Samples:
    return in_silence(1, 1)(at_level(word, -55))


def hear(transcriber: Transcriber, samples: Samples) -> Transcript:
    return transcriber.transcribe(with_sndfile(samples, "WAV", "PCM_16"))


@pytest.mark.parametrize(
    "scene",
    [in_silence(0.1, 0.1), in_silence(10, 1), in_silence(1, 50), in_a_room(8, -66), in_a_room(40, -50), faint],
    ids=["alone", "after 10 s", "before 50 s", "in a quiet room", "in a room", "faint"],
)
def test_a_short_word_is_heard(transcriber: Transcriber, scene: Callable[[Samples], Samples]) -> None:
    heard = {}
    for path in WORDS:
        transcript = hear(transcriber, scene(decode_audio(path.read_bytes()).samples))
        heard[path.stem] = transcript.text.strip(" .,!?").lower()
    assert all(heard.values()), heard
    assert sum(said != word for word, said in heard.items()) <= MISHEARD, heard


def test_a_short_word_in_one_channel_is_heard(transcriber: Transcriber) -> None:
    """With the other inverted, which cancels it, or with noise."""
    for path in WORDS[:5]:
        word = in_silence(1, 1)(decode_audio(path.read_bytes()).samples)
        noise = at_level(coloured(np.random.default_rng(4), len(word), 1), -40)
        for other in (-word, np.zeros_like(word), noise):
            stereo = io.BytesIO()
            soundfile.write(stereo, np.stack((other, word), axis=1), SAMPLE_RATE, format="WAV")
            assert transcriber.transcribe(stereo.getvalue()).text, path.stem
