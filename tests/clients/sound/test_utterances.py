import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.audio.decode import Samples
from clients.errors import UnreadableRecording
from clients.sound.utterances import as_flac, is_readable, utterances
from tests.asr.recordings import with_data_size, with_ffmpeg, with_sndfile
from vad.utterances import SAMPLE_RATE, Utterance

PAUSE_SECONDS = 1.5


@pytest.fixture(scope="module")
def queries(sample_files: list[Path]) -> list[Samples]:
    """Three spoken queries."""
    return [soundfile.read(file, dtype="float32")[0] for file in sample_files[:3]]


@pytest.fixture(scope="module")
def conversation(queries: list[Samples]) -> Samples:
    """The queries one after another, with pauses."""
    pause = np.zeros(round(PAUSE_SECONDS * SAMPLE_RATE), np.float32)
    return np.concatenate([pause, *(part for query in queries for part in (query, pause))])


def in_file(content: bytes) -> list[Utterance]:
    return list(utterances(io.BytesIO(content)))


def test_each_query_is_one_utterance(conversation: Samples, queries: list[Samples]) -> None:
    found = in_file(with_sndfile(conversation, "FLAC"))
    start = PAUSE_SECONDS
    for utterance, query in zip(found, queries, strict=True):
        end = start + len(query) / SAMPLE_RATE
        assert start <= utterance.start < start + 0.45
        assert end - 0.45 < utterance.end <= end + 0.1
        start = end + PAUSE_SECONDS


def test_an_utterance_holds_the_samples_between_its_start_and_its_end(conversation: Samples) -> None:
    for utterance in in_file(with_sndfile(conversation, "WAV", "PCM_16")):
        first, last = round(utterance.start * SAMPLE_RATE), round(utterance.end * SAMPLE_RATE)
        np.testing.assert_allclose(utterance.samples / 32768, conversation[first:last], atol=1e-4)


@pytest.mark.parametrize(
    ("container", "sample_rate", "channels"),
    [("WAV", 8000, 1), ("FLAC", 44_100, 2), ("OGG", 48_000, 2), ("MP3", 32_000, 1)],
)
def test_any_rate_and_channel_count_gives_the_same_utterances(
    conversation: Samples, container: str, sample_rate: int, channels: int
) -> None:
    found = in_file(with_sndfile(conversation, container, sample_rate=sample_rate, channels=channels))
    expected = in_file(with_sndfile(conversation, "FLAC"))
    for utterance, same in zip(found, expected, strict=True):
        assert utterance.start == pytest.approx(same.start, abs=0.15)
        assert utterance.end == pytest.approx(same.end, abs=0.15)
        assert np.std(utterance.samples) == pytest.approx(np.std(same.samples), rel=0.1)


def test_inverted_channels_give_the_same_utterances(conversation: Samples) -> None:
    content = io.BytesIO()
    soundfile.write(content, np.stack((conversation, -conversation), axis=1), SAMPLE_RATE, format="FLAC")
    expected = in_file(with_sndfile(conversation, "FLAC"))
    for utterance, same in zip(utterances(content), expected, strict=True):
        assert (utterance.start, utterance.end) == pytest.approx((same.start, same.end), abs=0.05)


def test_an_utterance_is_sent_as_flac_without_loss(conversation: Samples) -> None:
    utterance = in_file(with_sndfile(conversation, "FLAC"))[0]
    samples, rate = soundfile.read(io.BytesIO(as_flac(utterance.samples)), dtype="int16")
    assert rate == SAMPLE_RATE
    np.testing.assert_array_equal(samples, utterance.samples)


def test_the_first_utterance_is_out_before_a_recording_is_read_to_its_end(conversation: Samples) -> None:
    content = io.BytesIO(with_sndfile(np.tile(conversation, 10), "WAV", "PCM_16"))
    next(utterances(content))
    assert content.tell() < len(content.getvalue()) / 5


@pytest.mark.parametrize(
    "content", [with_sndfile(np.zeros(48_000, np.float32), "FLAC"), with_sndfile(np.zeros(0, np.float32), "WAV")]
)
def test_a_recording_without_speech_has_no_utterances(content: bytes) -> None:
    assert in_file(content) == []


def test_what_phones_and_browsers_record_is_left_to_the_server(conversation: Samples) -> None:
    assert not is_readable(io.BytesIO(with_ffmpeg(conversation, "webm", "libopus")))
    assert not is_readable(io.BytesIO(with_ffmpeg(conversation, "mp4", "aac")))
    assert not is_readable(io.BytesIO(b""))
    assert is_readable(io.BytesIO(with_sndfile(conversation, "OGG")))


def test_what_gives_no_samples_here_is_left_to_the_server(conversation: Samples) -> None:
    """Such a file was "Nothing was heard", with an exit status of 0."""
    wav = with_sndfile(conversation, "WAV", "PCM_16")
    assert is_readable(io.BytesIO(wav))
    assert is_readable(io.BytesIO(with_data_size(wav, 0xFFFFFFFF)))
    assert not is_readable(io.BytesIO(with_data_size(wav, 0)))
    assert not is_readable(io.BytesIO(wav[:44]))


def test_a_flac_that_was_written_to_a_pipe_is_left_to_the_server(conversation: Samples) -> None:
    """Its header tells no length. libsndfile cannot read such a file to its end."""
    flac = bytearray(with_sndfile(conversation, "FLAC"))
    flac[21] &= 0xF0
    flac[22:26] = bytes(4)
    assert not is_readable(io.BytesIO(flac))


def test_a_format_in_which_nobody_can_seek_is_cut(conversation: Samples) -> None:
    """The telephone's GSM in a wav was a traceback."""
    assert len(in_file(with_sndfile(conversation, "WAV", "GSM610", sample_rate=8_000))) == 3


def test_a_name_says_nothing_about_what_is_in_a_file(conversation: Samples, tmp_path: Path) -> None:
    """soundfile refuses to open anything whose name ends in .raw, unless it is given a descriptor."""
    misnamed = tmp_path / "clip.raw"
    misnamed.write_bytes(with_sndfile(conversation, "FLAC"))
    assert is_readable(misnamed)
    assert len(list(utterances(misnamed))) == 3


def test_a_recording_that_breaks_off_gives_what_it_has_and_says_so(conversation: Samples) -> None:
    content = with_sndfile(np.tile(conversation, 4), "FLAC")
    found = utterances(io.BytesIO(content[: len(content) // 2]))
    assert isinstance(next(found), Utterance)
    with pytest.raises(UnreadableRecording, match="cannot be read to its end"):
        list(found)


def test_a_file_that_is_not_there_is_pythons_own_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        is_readable(tmp_path / "nothing.wav")
