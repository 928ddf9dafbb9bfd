"""What strangers send is decoded apart from the server: a clip may break a worker, never more than that."""

import errno
import os
import signal
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import psutil
import pytest

from asr.audio import workers as audio_workers
from asr.audio.decode import AudioLimits, Samples, decode_audio
from asr.audio.workers import AudioWorkers
from asr.errors import AudioTooLong, EngineBusy, EngineClosed, InvalidAudio
from tests.asr.recordings import with_ffmpeg, with_sndfile

# Headers of AAC frames without a frame: FFmpeg reads seven seconds for nothing.
ENDLESS = bytes.fromhex("fff15080011ffc") * 1_000_000


@pytest.fixture(scope="module")
def workers() -> Iterator[AudioWorkers]:
    with AudioWorkers(2) as workers:
        yield workers


def children() -> set[int]:
    """The processes that this one has started and not yet seen end."""
    return {child.pid for child in psutil.Process().children()}


def claiming(samples: int, recording: bytes) -> bytearray:
    """An mp4 whose table of samples claims to be so long."""
    data = bytearray(recording)
    table = data.index(b"stsz")
    data[table + 8 : table + 16] = (1).to_bytes(4) + samples.to_bytes(4)
    return data


def box(kind: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4) + kind + content


def test_a_worker_gives_what_the_plain_decoder_gives(workers: AudioWorkers, sample_files: list[Path]) -> None:
    clips = [file.read_bytes() for file in sample_files]
    with ThreadPoolExecutor(4) as threads:
        for clip, audio in zip(clips, threads.map(workers.decode, clips), strict=True):
            plain = decode_audio(clip)
            assert np.array_equal(audio.samples, plain.samples)
            assert audio.clipped == plain.clipped


def test_refusals_say_what_the_plain_decoder_says(workers: AudioWorkers, speech: Samples) -> None:
    for hostile in (b"", b"not audio", with_sndfile(speech, "WAV")[:20]):
        with pytest.raises(InvalidAudio) as plain:
            decode_audio(hostile)
        with pytest.raises(InvalidAudio) as refused:
            workers.decode(hostile)
        assert str(refused.value) == str(plain.value)


def test_limits_hold_in_a_worker(speech: Samples) -> None:
    with AudioWorkers(1, AudioLimits(max_seconds=1.0)) as workers, pytest.raises(AudioTooLong, match="1 seconds"):
        workers.decode(with_sndfile(speech, "WAV"))


@pytest.mark.parametrize("claimed", [10_000_000, 85_000_000, 178_956_969, 2**32 - 1])
def test_an_mp4_that_claims_millions_of_samples_harms_nobody(
    workers: AudioWorkers, speech: Samples, claimed: int
) -> None:
    """Nine kilobytes once took three gigabytes of the server and six seconds.

    It may take no longer than the limit on decoding lets an honest clip take.
    """
    recording = with_ffmpeg(speech, "ipod", "aac")
    for _ in range(2):  # each worker has its libraries imported
        workers.decode(recording)
    started = time.monotonic()
    with suppress(InvalidAudio):
        workers.decode(bytes(claiming(claimed, recording)))
    assert time.monotonic() - started < AudioLimits().max_decoding_seconds
    assert workers.decode(recording).duration == pytest.approx(len(speech) / 16_000, abs=0.1)


def test_an_index_that_hides_its_claim_by_compression_harms_nobody(workers: AudioWorkers, speech: Samples) -> None:
    """QuickTime may compress an mp4's index: ten kilobytes once took two gigabytes."""
    recording = with_ffmpeg(speech, "ipod", "aac")
    start = recording.index(b"moov") - 4
    end = start + int.from_bytes(recording[start : start + 4])
    moov = claiming(85_000_000, recording[start:end])
    hidden = box(b"cmvd", len(moov).to_bytes(4) + zlib.compress(moov))
    with pytest.raises(InvalidAudio):
        workers.decode(recording[:start] + box(b"moov", box(b"cmov", box(b"dcom", b"zlib") + hidden)))
    assert len(workers.decode(recording).samples)


def test_a_worker_that_hangs_is_ended_and_replaced(speech: Samples) -> None:
    with AudioWorkers(1, AudioLimits(max_decoding_seconds=1000.0), hang_seconds=1) as workers:
        with pytest.raises(InvalidAudio, match="safely"):
            workers.decode(ENDLESS)
        assert len(workers.decode(with_sndfile(speech, "WAV")).samples) == len(speech)


def test_a_worker_that_died_while_idle_is_replaced(speech: Samples) -> None:
    """The next clip, which had done nothing, was once refused."""
    before = children()
    with AudioWorkers(1) as workers:
        (worker,) = children() - before
        os.kill(worker, signal.SIGKILL)
        assert len(workers.decode(with_sndfile(speech, "WAV")).samples) == len(speech)
        assert worker not in children()


def test_a_worker_that_was_stopped_is_replaced(speech: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its alarm does not reach it: a clip once waited for ever, and a large one even to be sent."""
    monkeypatch.setattr(audio_workers, "TAKE_SECONDS", 4.0)
    before = children()
    with AudioWorkers(1) as workers:
        (worker,) = children() - before
        os.kill(worker, signal.SIGSTOP)
        assert len(workers.decode(with_sndfile(np.tile(speech, 20), "WAV")).samples) == 20 * len(speech)
        assert worker not in children()


def test_a_worker_that_is_stopped_at_work_is_ended(speech: Samples) -> None:
    before = children()
    with AudioWorkers(1, AudioLimits(max_decoding_seconds=1000.0), hang_seconds=1) as workers:
        assert len(workers.decode(with_sndfile(speech, "WAV")).samples)
        (worker,) = children() - before
        with ThreadPoolExecutor(1) as thread:
            decoding = thread.submit(workers.decode, ENDLESS)
            time.sleep(0.3)  # less than it takes
            os.kill(worker, signal.SIGSTOP)
            with pytest.raises(InvalidAudio, match="safely"):
                decoding.result(10)


def test_where_no_worker_can_be_started_the_clip_may_come_again(
    speech: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server out of file descriptors once lost its workers for good, and answered 500."""
    before = children()
    with AudioWorkers(1) as workers:
        for worker in children() - before:
            os.kill(worker, signal.SIGKILL)
        with monkeypatch.context() as context:
            context.setattr(audio_workers, "Pipe", Mock(side_effect=OSError(errno.EMFILE, "Too many open files")))
            for _ in range(2):
                with pytest.raises(EngineBusy, match="Try again"):
                    workers.decode(with_sndfile(speech, "WAV"))
        assert len(workers.decode(with_sndfile(speech, "WAV")).samples) == len(speech)


def test_closing_ends_the_workers(speech: Samples) -> None:
    before = children()
    workers = AudioWorkers(2)
    assert len(children() - before) == 2
    workers.close()
    assert children() == before
    with pytest.raises(EngineClosed):
        workers.decode(with_sndfile(speech, "WAV"))
