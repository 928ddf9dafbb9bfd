"""Every format that a phone, a browser or a script may send, and what is refused."""

import io
import resource
import time

import numpy as np
import pytest
import soundfile

from asr.audio.decode import FFMPEG_OPTIONS, SAMPLE_RATE, AudioLimits, Samples, decode_audio
from asr.errors import AudioTooLong, InvalidAudio
from tests.asr.recordings import (
    resampled,
    with_data_size,
    with_ffmpeg,
    with_list_chunk,
    with_riff_size,
    with_sndfile,
)

SNDFILE_FORMATS = [
    ("WAV", "PCM_U8"),
    ("WAV", "PCM_16"),
    ("WAV", "PCM_24"),
    ("WAV", "PCM_32"),
    ("WAV", "FLOAT"),
    ("WAV", "DOUBLE"),
    ("FLAC", "PCM_16"),
    ("FLAC", "PCM_24"),
    ("MP3", None),
    ("OGG", "VORBIS"),
    ("OGG", "OPUS"),
]
FFMPEG_FORMATS = [
    ("webm", "libopus"),
    ("matroska", "pcm_s16le"),
    ("mp4", "aac"),
    ("ipod", "aac"),
    ("adts", "aac"),
    ("3gp", "aac"),
    ("ogg", "libopus"),
]


def similarity(a: Samples, b: Samples) -> float:
    """The highest correlation within 100 ms of shift: codecs delay what they encode."""
    shortest = min(len(a), len(b)) - 1600
    kernel = a[:shortest] / np.linalg.norm(a[:shortest])
    energy = np.sqrt(np.convolve(b**2, np.ones(shortest), "valid"))
    return float((np.correlate(b, kernel, "valid") / np.maximum(energy, 1e-9)).max())


@pytest.mark.parametrize(("container", "subtype"), SNDFILE_FORMATS)
def test_formats_of_libsndfile_are_decoded(speech: Samples, container: str, subtype: str | None) -> None:
    audio = decode_audio(with_sndfile(speech, container, subtype))
    assert audio.duration == pytest.approx(len(speech) / SAMPLE_RATE, abs=0.1)
    assert similarity(speech, audio.samples) > 0.97


@pytest.mark.parametrize(("container", "codec"), FFMPEG_FORMATS)
def test_formats_of_phones_and_browsers_are_decoded(speech: Samples, container: str, codec: str) -> None:
    audio = decode_audio(with_ffmpeg(speech, container, codec))
    assert audio.duration == pytest.approx(len(speech) / SAMPLE_RATE, abs=0.1)
    assert similarity(speech, audio.samples) > 0.95


@pytest.mark.parametrize("sample_rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("channels", [1, 2, 8])
def test_any_rate_and_channel_count_becomes_16_khz_mono(speech: Samples, sample_rate: int, channels: int) -> None:
    audio = decode_audio(with_sndfile(speech, "WAV", "PCM_16", sample_rate=sample_rate, channels=channels))
    assert audio.samples.ndim == 1
    assert audio.samples.dtype == np.float32
    assert len(audio.samples) == pytest.approx(len(speech), abs=50)


@pytest.mark.parametrize("container", ["FLAC", "WAV"])
def test_speech_in_any_channel_is_heard(speech: Samples, container: str) -> None:
    noise = np.asarray(np.random.default_rng(0).standard_normal(len(speech)) * 0.1, np.float32)
    for channels in ([speech, -speech], [noise, speech], [np.zeros_like(speech)] * 7 + [speech]):
        buffer = io.BytesIO()
        soundfile.write(buffer, np.stack(channels, axis=1), SAMPLE_RATE, format=container)
        assert abs(np.corrcoef(decode_audio(buffer.getvalue()).samples[8_000:], speech[8_000:])[0, 1]) > 0.9


@pytest.mark.parametrize(("sample_rate", "channels"), [(4_000, 1), (192_000, 1), (16_000, 9)])
def test_rates_and_channels_out_of_range_are_refused(speech: Samples, sample_rate: int, channels: int) -> None:
    with pytest.raises(InvalidAudio, match=str(sample_rate if channels == 1 else channels)):
        decode_audio(with_sndfile(speech[:8000], "WAV", "PCM_16", sample_rate=sample_rate, channels=channels))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"RIFF",
        b"\0" * 10_000,
        b'{"audio": "no"}',
        b"fLaC" + b"\xff" * 500,
        b"OggS" + b"\0" * 500,
        b"\x1aE\xdf\xa3" + b"\x01" * 500,
        b"\0\0\0\x20ftypisom" + b"\0" * 500,
        b"ID3" + b"\x7f" * 500,
    ],
)
def test_what_is_not_audio_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidAudio):
        decode_audio(data)


def test_playlists_cannot_make_the_server_open_other_files(speech: Samples, tmp_path) -> None:
    secret = tmp_path / "secret.wav"
    secret.write_bytes(with_sndfile(speech, "WAV"))
    for playlist in (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile://{secret}\n#EXT-X-ENDLIST\n",
        f"ffconcat version 1.0\nfile '{secret}'\n",
    ):
        with pytest.raises(InvalidAudio):
            decode_audio(playlist.encode())


@pytest.mark.parametrize(("container", "codec"), [("webm", "libopus"), ("adts", "aac")])
def test_a_recording_that_breaks_off_gives_what_there_is(speech: Samples, container: str, codec: str) -> None:
    whole = with_ffmpeg(speech, container, codec)
    audio = decode_audio(whole[: len(whole) // 2])
    assert 0.2 < audio.duration / (len(speech) / SAMPLE_RATE) < 0.8


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_joined_ogg_files_are_heard_whole(speech: Samples, subtype: str) -> None:
    data = with_sndfile(speech, "OGG", subtype)
    assert decode_audio(data + data).duration == pytest.approx(2 * len(speech) / SAMPLE_RATE, abs=0.1)


def test_a_flac_that_breaks_off_gives_what_there_is(speech: Samples) -> None:
    whole = with_sndfile(speech, "FLAC")
    audio = decode_audio(whole[: len(whole) // 2])
    assert 0.2 < audio.duration / (len(speech) / SAMPLE_RATE) < 0.8


def test_a_small_file_that_unpacks_to_hours_is_refused_early() -> None:
    hours = io.BytesIO()
    with soundfile.SoundFile(hours, "w", 16_000, 1, format="FLAC") as file:
        for _ in range(4 * 60):
            file.write(np.zeros(16_000 * 60, np.float32))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(AudioTooLong, match="120 seconds"):
        decode_audio(hours.getvalue())
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mb < 100  # the whole would be 920 MB


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "ULAW", "MS_ADPCM"])
@pytest.mark.parametrize("size", [0, 1 << 30, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_wav_whose_length_was_not_known_when_its_header_was_written_is_heard(
    speech: Samples, subtype: str, size: int
) -> None:
    """Streaming recorders write 0 or the largest number, and seldom come back to mend it."""
    wav = with_data_size(with_riff_size(with_sndfile(speech, "WAV", subtype), size), size)
    audio = decode_audio(wav)
    assert audio.duration == pytest.approx(len(speech) / SAMPLE_RATE, abs=0.1)
    assert similarity(speech, audio.samples) > 0.95


@pytest.mark.parametrize("size", [4, 5])
@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("data_size", [0, 0xFFFFFFFF])
def test_a_wav_with_other_chunks_before_its_samples_is_heard(
    speech: Samples, size: int, padded: bool, data_size: int
) -> None:
    wav = with_list_chunk(with_data_size(with_sndfile(speech, "WAV", "PCM_16"), data_size), size, padded=padded)
    np.testing.assert_allclose(decode_audio(wav).samples, speech, atol=1e-4)


@pytest.mark.parametrize("byte", [b"\0", b"\xff"])
def test_a_64_bit_wav_whose_sizes_were_never_written_is_heard(speech: Samples, byte: bytes) -> None:
    wav = with_sndfile(speech, "RF64", "PCM_16")
    sizes = wav.index(b"ds64") + 8
    np.testing.assert_allclose(decode_audio(wav[:sizes] + byte * 24 + wav[sizes + 24 :]).samples, speech, atol=1e-4)


@pytest.mark.parametrize("container", ["WAV", "W64", "RF64"])
def test_a_wav_that_ends_in_the_middle_of_a_sample_gives_what_is_whole(speech: Samples, container: str) -> None:
    wav = with_sndfile(speech, container, "PCM_24")
    samples = decode_audio(wav[: len(wav) // 2 | 1]).samples
    assert len(samples) == pytest.approx(len(speech) / 2, abs=50)
    np.testing.assert_allclose(samples, speech[: len(samples)], atol=1e-4)


@pytest.mark.parametrize("length", [12, 30, 40, 44, 45])
@pytest.mark.parametrize("data_size", [0, 2, 0xFFFFFFFF])
def test_a_wav_without_a_sample_is_refused(speech: Samples, length: int, data_size: int) -> None:
    wav = with_data_size(with_sndfile(speech, "WAV", "PCM_16"), data_size)
    with pytest.raises(InvalidAudio, match="Send a complete recording"):
        decode_audio(wav[:length])


def test_a_wav_of_an_unknown_kind_is_refused(speech: Samples) -> None:
    wav = bytearray(with_list_chunk(with_sndfile(speech, "WAV", "PCM_16"), 5, padded=False))
    wav[20:22] = b"\x34\x12"  # the format's number
    with pytest.raises(InvalidAudio, match="Send a complete recording"):
        decode_audio(bytes(wav))


@pytest.mark.parametrize("sample_rate", [8_000, 16_000, 44_100])
def test_a_clip_of_just_the_longest_length_passes(sample_rate: int) -> None:
    """Lengths of blocks, added up as floats, once made 120 seconds more than 120."""
    silence = np.zeros(120 * SAMPLE_RATE, np.float32)
    assert decode_audio(with_sndfile(silence, "FLAC", sample_rate=sample_rate)).duration == pytest.approx(120)


def test_the_limit_on_seconds_counts_decoded_audio(speech: Samples) -> None:
    with pytest.raises(AudioTooLong, match="1 seconds"):
        decode_audio(with_ffmpeg(speech, "webm", "libopus"), AudioLimits(max_seconds=1.0))


def test_float_audio_at_another_scale_is_brought_to_full_scale(speech: Samples) -> None:
    damaged = speech * 32_768
    damaged[100:200] = np.nan
    damaged[300] = np.inf
    samples = decode_audio(with_sndfile(damaged, "WAV", "FLOAT")).samples
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() <= 1.0
    assert similarity(speech[1600:], samples) > 0.9


def test_one_absurd_sample_does_not_make_the_rest_silent(speech: Samples) -> None:
    """A single float of 5,000 once scaled two seconds of speech away."""
    damaged = speech.copy()
    damaged[10_000] = 5_000.0
    samples = decode_audio(with_sndfile(damaged, "WAV", "FLOAT")).samples
    np.testing.assert_allclose(samples[12_000:], speech[12_000:], atol=1e-3)


@pytest.mark.parametrize("sample_rate", [16_000, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_clipping_is_measured_in_the_source(speech: Samples, sample_rate: int, channels: int) -> None:
    """Changing the rate and mixing channels hide it."""
    source = np.clip(resampled(speech, sample_rate) * 30, -1, 1)
    frames = np.stack([source] + [np.zeros_like(source)] * (channels - 1), axis=1)
    buffer = io.BytesIO()
    soundfile.write(buffer, frames, sample_rate, format="WAV")
    assert decode_audio(buffer.getvalue()).clipped > 0.05
    assert decode_audio(with_sndfile(speech, "WAV", sample_rate=sample_rate)).clipped == 0


def seconds_until_refused(data: bytes, max_decoding_seconds: float) -> float:
    """Return the processor time that it takes to find no audio in `data`; others' work does not count."""
    started = time.thread_time()
    with pytest.raises(InvalidAudio):
        decode_audio(data, AudioLimits(max_decoding_seconds=max_decoding_seconds))
    return time.thread_time() - started


def test_what_takes_long_to_find_nothing_in_is_given_up() -> None:
    """Headers of AAC frames without a frame: FFmpeg read a million of them for seven seconds.

    What it may take follows from what it takes without a limit, in the same run: with a tenth of that as the limit it
    is given up in less than half.
    """
    data = bytes.fromhex("fff15080011ffc") * 400_000
    whole = seconds_until_refused(data, max_decoding_seconds=1_000)
    assert seconds_until_refused(data, whole / 10) < whole / 2


@pytest.mark.parametrize(
    ("start", "part"),
    [
        (b"RIFF\xff\xff\xff\xffWAVE", b"junk\0\0\0\0"),
        (b"\0\0\0\x20ftypM4A " + b"\0" * 20, b"\0\0\0\x08free"),
    ],
    ids=["RIFF", "MP4"],
)
def test_a_million_parts_without_audio_take_no_more_than_so_many_times_a_few(start: bytes, part: bytes) -> None:
    """What they may take follows from what half of them takes: twice as long, where work that grew with the square of
    their number would take four times as long. The bound is half-way between.
    """
    half = seconds_until_refused(start + part * 500_000, AudioLimits().max_decoding_seconds)
    assert seconds_until_refused(start + part * 1_000_000, AudioLimits().max_decoding_seconds) < 3 * half


def test_pictures_in_a_recording_are_never_decoded() -> None:
    """A cover of two megabytes that unpacks to gigabytes once held a thread for ten seconds."""
    decoders = FFMPEG_OPTIONS["codec_whitelist"].split(",")
    assert {"aac", "opus", "pcm_s16le"} <= set(decoders)
    assert not {"png", "mjpeg", "gif", "bmp", "webp", "h264", "vp9"} & set(decoders)
