"""From bytes to a transcript, with the real models."""

import math

import numpy as np
import pytest

from asr.audio.decode import SAMPLE_RATE, Audio, Samples, decode_audio
from asr.decoding.hypothesis import DecodedWindow, Reading
from asr.engine.engine import Engine
from asr.engine.jobs import DecodedClip
from asr.errors import InvalidAudio, UnknownLanguage
from asr.transcriber import Transcriber
from asr.transcript import Verdict
from asr.whisper.checkpoints import Checkpoint
from tests.asr.as_served import as_served
from tests.asr.noises import at_level, coloured, coughs, music, noises, typing
from tests.asr.recordings import with_ffmpeg, with_sndfile


@pytest.fixture(scope="module", params=["tiny_en"])
def transcriber(request: pytest.FixtureRequest):
    checkpoint: Checkpoint = request.getfixturevalue(request.param)
    with Engine(checkpoint) as engine:
        yield Transcriber(engine)


def test_every_sample_is_heard(transcriber: Transcriber, sample_files) -> None:
    for file in sample_files:
        transcript = transcriber.transcribe(file.read_bytes())
        city = file.stem.split("-in-")[-1].split("-to-")[-1].split("-is-")[-1].replace("-", " ")
        assert city in transcript.text.lower()
        assert transcript.language == "en"
        assert transcript.confidence > 0.5
        assert transcript.quality.verdict is Verdict.OK
        assert transcript.timings.encode > 0


def test_every_word_has_its_confidence_and_its_rarity(transcriber: Transcriber, sample_files) -> None:
    for file in sample_files:
        transcript = transcriber.transcribe(file.read_bytes())
        words = transcript.text.split()
        assert len(transcript.word_confidences) == len(transcript.word_rarities) == len(words)
        ordinary = {"to", "in", "the", "is", "What", "time"}
        rarities = zip(words, transcript.word_rarities, strict=True)
        assert all(rarity < 4 for word, rarity in rarities if word in ordinary)
    (rare,) = [file for file in sample_files if "reykjavik" in file.stem]
    transcript = transcriber.transcribe(rare.read_bytes())
    assert transcript.text.split()[-2] == "Reykjavik,"
    assert transcript.word_rarities[-2] == max(transcript.word_rarities) > 6


def test_the_format_does_not_change_what_is_heard(transcriber: Transcriber, speech: Samples) -> None:
    """Beyond what a lossy codec does to a near tie, which whole windows weather best."""
    with Engine(transcriber.engine.checkpoint, whole_windows=True) as engine:
        every_format_is_heard_alike(Transcriber(engine), speech)


def every_format_is_heard_alike(transcriber: Transcriber, speech: Samples) -> None:
    plain = transcriber.transcribe(with_sndfile(speech, "WAV", "PCM_16")).text
    for data in (
        with_sndfile(speech, "FLAC"),
        with_sndfile(speech, "WAV", "FLOAT", sample_rate=48_000, channels=2),
        with_ffmpeg(speech, "webm", "libopus"),
    ):
        assert transcriber.transcribe(data).text == plain


def test_noise_never_comes_back_as_words(transcriber: Transcriber) -> None:
    for seconds in (0.7, 3.0):
        for name, samples in noises(seconds):
            transcript = transcriber.transcribe(with_sndfile(samples, "WAV", "PCM_16"))
            assert transcript.text == "", name
            assert transcript.quality.verdict in (Verdict.NO_SPEECH, Verdict.SILENT), name
            assert (transcript.confidence, transcript.alternatives) == (0.0, ())


@pytest.fixture(scope="module")
def as_on_a_server(base: Checkpoint):
    with Engine(base, as_served(base)) as engine:
        yield Transcriber(engine)


@pytest.mark.parametrize(
    "noise",
    [music(25, 1), music(25, 2), music(20, 3, drums=True), typing(12, 1), typing(25, 2), coughs(25, 1)],
    ids=["music", "another tune", "drums", "typing", "more typing", "coughs"],
)
def test_long_sounds_that_pass_the_gate_are_no_sentence(as_on_a_server: Transcriber, noise: Samples) -> None:
    """They were read as "I'm not going to be able to do it.", with a confidence of 0.15."""
    transcript = as_on_a_server.transcribe(with_sndfile(noise, "FLAC"))
    assert transcript.text == ""
    assert transcript.quality.verdict is Verdict.NO_SPEECH


@pytest.mark.parametrize("room_dbfs", [None, -66])
@pytest.mark.parametrize(("before", "after"), [(0.3, 10), (45, 0.3), (60, 50)])
def test_what_is_short_in_a_long_quiet_recording_is_heard(
    transcriber: Transcriber, speech: Samples, before: float, after: float, room_dbfs: float | None
) -> None:
    clip = np.pad(speech, (round(before * SAMPLE_RATE), round(after * SAMPLE_RATE)))
    if room_dbfs is not None:
        clip = clip + at_level(coloured(np.random.default_rng(0), len(clip), 1), room_dbfs)
    transcript = transcriber.transcribe(with_sndfile(clip, "FLAC"))
    assert transcript.text == transcriber.transcribe(with_sndfile(speech, "FLAC")).text


def test_what_is_said_before_and_after_a_long_pause_is_heard(transcriber: Transcriber, speech: Samples) -> None:
    once = transcriber.transcribe(with_sndfile(speech, "FLAC")).text
    prepared = transcriber.prepare(with_sndfile(np.concatenate([speech, np.zeros(20 * SAMPLE_RATE), speech]), "FLAC"))
    assert len(prepared.windows) == 2
    assert sum(map(len, prepared.windows)) < 2 * len(speech) + 4 * SAMPLE_RATE
    clip = transcriber.engine.submit(prepared.windows, transcriber.options()).result(60)
    assert transcriber.assemble(prepared, transcriber.options(), clip).text == f"{once} {once}"


def test_an_utterance_is_one_window_whatever_pauses_it_has(transcriber: Transcriber, speech: Samples) -> None:
    """What its interims promised is for its first window to keep."""
    utterance = Audio(np.concatenate([speech, np.zeros(4 * SAMPLE_RATE, np.float32), speech]))
    assert len(transcriber.prepare_audio(utterance, is_utterance=True).windows) == 1
    assert len(transcriber.prepare_audio(utterance).windows) == 2


@pytest.mark.parametrize(("confidence", "verdict"), [(0.28, Verdict.UNSURE), (0.32, Verdict.OK)])
def test_a_text_of_little_confidence_is_unsure(
    transcriber: Transcriber, speech: Samples, confidence: float, verdict: Verdict
) -> None:
    prepared = transcriber.prepare(with_sndfile(speech, "FLAC"))
    reading = Reading("Pedro Lyras.", (1,), math.log(confidence))
    clip = DecodedClip((DecodedWindow(reading, (), "en", 0.1),), 0.0)
    assert transcriber.assemble(prepared, transcriber.options(), clip).quality.verdict is verdict


def test_silence_does_not_reach_the_model(transcriber: Transcriber) -> None:
    transcript = transcriber.transcribe(with_sndfile(np.zeros(3 * SAMPLE_RATE, np.float32), "WAV"))
    assert transcript.quality.verdict is Verdict.SILENT
    assert transcript.timings.encode == 0


def test_the_language_asked_for_is_that_of_an_empty_answer(base: Checkpoint) -> None:
    with Engine(base) as engine:
        transcriber = Transcriber(engine)
        silence = with_sndfile(np.zeros(SAMPLE_RATE, np.float32), "WAV")
        assert transcriber.transcribe(silence, transcriber.options("de")).language == "de"


def test_a_long_recording_is_heard_to_its_end(transcriber: Transcriber, sample_files) -> None:
    """More than one window: every query, in order, with pauses in between."""
    texts = [transcriber.transcribe(file.read_bytes()).text for file in sample_files]
    pause = np.zeros(2 * SAMPLE_RATE, np.float32)
    parts = [part for file in sample_files for part in (decode_audio(file.read_bytes()).samples, pause)]
    transcript = transcriber.transcribe(with_sndfile(np.concatenate(parts), "FLAC"))
    assert transcript.duration > 30
    for text in texts:
        city = text.rstrip(".?!").split()[-1]
        assert city in transcript.text
    assert transcript.alternatives == ()


def test_alternatives_differ_in_words(transcriber: Transcriber, speech: Samples) -> None:
    noisy = speech + np.random.default_rng(0).normal(0, 0.05, len(speech)).astype(np.float32)
    options = transcriber.options(alternatives=5)
    transcript = transcriber.transcribe(with_sndfile(noisy, "WAV"), options)
    words = [
        "".join(c for c in text.lower() if c.isalnum())
        for text in (transcript.text, *(other.text for other in transcript.alternatives))
    ]
    assert len(words) == len(set(words))


def test_languages_the_model_lacks_are_refused_at_the_door(transcriber: Transcriber) -> None:
    with pytest.raises(UnknownLanguage, match="xx"):
        transcriber.options("xx")
    with pytest.raises(UnknownLanguage, match="tlh"):
        Transcriber(transcriber.engine, languages=("en", "tlh"))


def test_bytes_that_are_no_audio_are_refused(transcriber: Transcriber) -> None:
    with pytest.raises(InvalidAudio):
        transcriber.transcribe(b"no audio at all")
