"""Uploads with something wrong in them, the same ones every time."""

import random
import struct
from collections.abc import Iterator

from asr.audio.decode import Samples
from tests.asr.recordings import with_ffmpeg, with_sndfile

Upload = tuple[str, bytes]


def malformed_uploads(speech: Samples, count: int, seed: int = 0) -> Iterator[Upload]:
    """`count` uploads, each with a name that says what was done to it."""
    rng = random.Random(seed)
    whole = recordings(speech)
    makers = (truncated, random_bytes, flipped, overwritten, wrong_type, absurd_wav, huge_claim, spliced)
    for i in range(count):
        name, data = makers[i % len(makers)](rng, rng.choice(whole))
        yield f"{i} {name}", data


def recordings(speech: Samples) -> list[Upload]:
    return [
        ("wav", with_sndfile(speech, "WAV", "PCM_16")),
        ("float wav", with_sndfile(speech, "WAV", "FLOAT", sample_rate=44_100, channels=2)),
        ("flac", with_sndfile(speech, "FLAC")),
        ("mp3", with_sndfile(speech, "MP3")),
        ("vorbis", with_sndfile(speech, "OGG", "VORBIS")),
        ("opus", with_sndfile(speech, "OGG", "OPUS")),
        ("webm", with_ffmpeg(speech, "webm", "libopus")),
        ("m4a", with_ffmpeg(speech, "ipod", "aac")),
        ("aac", with_ffmpeg(speech, "adts", "aac")),
        ("mkv", with_ffmpeg(speech, "matroska", "pcm_s16le")),
    ]


def truncated(rng: random.Random, upload: Upload) -> Upload:
    kind, data = upload
    return f"truncated {kind}", data[: int(len(data) * rng.random() ** 2)]


def random_bytes(rng: random.Random, upload: Upload) -> Upload:
    """Noise, often behind a magic number that promises a format."""
    magic = rng.choice(
        [b"", b"RIFF", b"fLaC", b"OggS", b"ID3\x04", b"\x1aE\xdf\xa3", b"\xff\xf1", b"\0\0\0\x20ftypM4A "]
    )
    return "random bytes", magic + rng.randbytes(rng.choice([0, 1, 7, 100, 5_000, 1_000_000]))


def flipped(rng: random.Random, upload: Upload) -> Upload:
    kind, data = upload[0], bytearray(upload[1])
    for _ in range(rng.choice([1, 10, 1_000])):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return f"flipped bits in {kind}", bytes(data)


def overwritten(rng: random.Random, upload: Upload) -> Upload:
    """A header of nothing but ones, or noise."""
    kind, data = upload
    start, length = rng.randrange(64), rng.randrange(1, 400)
    patch = rng.choice([b"\xff" * length, b"\0" * length, rng.randbytes(length)])
    return f"overwritten header of {kind}", data[:start] + patch + data[start + length :]


def wrong_type(rng: random.Random, upload: Upload) -> Upload:
    content = rng.choice(
        [
            b"",
            b"\0" * 100_000,
            b'{"file": "clip.wav"}',
            b"<!doctype html><title>no audio</title>",
            b"\x89PNG\r\n\x1a\n" + rng.randbytes(2_000),
            b"%PDF-1.7\n" + rng.randbytes(2_000),
            b"PK\x03\x04" + rng.randbytes(2_000),
            b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n",
            b"ffconcat version 1.0\nfile '/etc/hostname'\n",
            b"[Script Info]\nTitle: subtitles",
            b"GIF89a" + rng.randbytes(500),
        ]
    )
    return "wrong type", content


def absurd_wav(rng: random.Random, upload: Upload) -> Upload:
    """A wav header with numbers that no recording has."""
    values = [0, 1, 2, 9, 255, 65_535]
    rates = [0, 1, 7_999, 96_001, 2**31 - 1, 2**32 - 1]
    channels, bits, rate = rng.choice(values), rng.choice(values), rng.choice(rates)
    chunk = struct.pack(
        "<HHIIHH", rng.choice([0, 1, 3, 7, 65_534]), channels, rate, rng.choice(rates), rng.choice(values), bits
    )
    data = rng.randbytes(rng.choice([0, 1, 10_000]))
    body = b"WAVEfmt " + struct.pack("<I", len(chunk)) + chunk + b"data" + struct.pack("<I", len(data)) + data
    return "absurd wav", b"RIFF" + struct.pack("<I", len(body)) + body


def huge_claim(rng: random.Random, upload: Upload) -> Upload:
    """Lengths in the header that promise gigabytes."""
    kind, data = upload[0], bytearray(upload[1])
    for _ in range(3):
        place = rng.randrange(4, min(len(data) - 8, 120))
        data[place : place + 4] = rng.choice([b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x7f\xff\xff\xff"])
    return f"huge lengths in {kind}", bytes(data)


def spliced(rng: random.Random, upload: Upload) -> Upload:
    """A piece cut out of the middle, or played twice."""
    kind, data = upload
    a, b = sorted(rng.randrange(len(data)) for _ in range(2))
    return f"spliced {kind}", rng.choice([data[:a] + data[b:], data[:b] + data[a:]])
