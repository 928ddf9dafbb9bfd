"""Recordings in a container or a codec, told by their first bytes: a live stream is bare PCM."""

from collections.abc import Callable
from dataclasses import dataclass

START_BYTES = 4_608  # in which three frames of MP3 or AAC lie, at all but the highest rates
FRAMES = 3  # of one kind in a row, that make MP3 or AAC: PCM begins like one frame now and then
PLAIN_PCM = (1, 0xFFFE)  # a wav's format: PCM, or said further on
MPEG_VERSION_1 = 3
MPEG_LAYER_3 = 1
MP3_BITRATES = {  # kbit/s, by the version and the header's index
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
MP3_SAMPLE_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}  # by version
SMALLEST_AAC_FRAME = 7  # bytes, its header alone


@dataclass(frozen=True)
class Magic:
    """The bytes at `at` with which recordings of this name begin; none are so few that PCM would begin with them."""

    name: str
    content: bytes
    at: int = 0


MAGIC = (
    Magic("WebM", b"\x1aE\xdf\xa3"),
    Magic("Ogg", b"OggS"),
    Magic("FLAC", b"fLaC"),
    Magic("MP4", b"ftyp", at=4),
    Magic("MP3", b"ID3\x02\0"),
    Magic("MP3", b"ID3\x03\0"),
    Magic("MP3", b"ID3\x04\0"),
    Magic("AMR", b"#!AMR"),
    Magic("CAF", b"caff\0\x01"),
    Magic("AIFF", b"AIFF", at=8),
    Magic("AIFF", b"AIFC", at=8),
    Magic("W64", b"riff\x2e\x91\xcf\x11"),
)


def container_of(start: bytes, sample_rate: int, channels: int) -> str | None:
    """What the stream is that begins with these bytes, where it is not PCM; None where it is, or more must be seen.

    The shortest magic number has 32 bits; PCM would have to begin with two very loud samples of just these values. A
    wav of 16 bit PCM whose rate, in Hz, and channels are as given is taken: its header is a click of a millisecond.
    """
    for magic in MAGIC:
        if start.startswith(magic.content, magic.at):
            return magic.name
    if start.startswith((b"RIFF", b"RF64")) and start.startswith(b"WAVE", 8):
        return None if _is_wav_of_pcm(start, sample_rate, channels) else "WAV"
    for name, frame in (("MP3", _mp3_frame), ("AAC", _aac_frame)):
        if _begins_with_frames(start, frame):
            return name
    return None


def _is_wav_of_pcm(start: bytes, sample_rate: int, channels: int) -> bool:
    """True, too, as long as the part that tells the format has not come."""
    fmt = start.find(b"fmt ") + 8
    if fmt < 8 or len(start) < fmt + 16:
        return True
    said = [
        int.from_bytes(start[fmt + at : fmt + at + size], "little") for at, size in ((0, 2), (2, 2), (4, 4), (14, 2))
    ]
    return said[0] in PLAIN_PCM and said[1:] == [channels, sample_rate, 16]


# What tells a frame's kind, the same in all of a stream, and its length in bytes; None for what is no frame.
Frame = Callable[[bytes], tuple[object, int] | None]


def _begins_with_frames(start: bytes, frame: Frame) -> bool:
    kinds = set()
    at = 0
    for _ in range(FRAMES):
        if not (found := frame(start[at : at + SMALLEST_AAC_FRAME])):
            return False
        kind, length = found
        kinds.add(kind)
        at += length
    return len(kinds) == 1


def _mp3_frame(header: bytes) -> tuple[object, int] | None:
    if len(header) < 4 or header[0] != 0xFF or header[1] < 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3
    bitrate, rate, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if version not in MP3_SAMPLE_RATES or layer != MPEG_LAYER_3 or bitrate in (0, 15) or rate == 3:
        return None
    is_first = version == MPEG_VERSION_1
    samples_per_8 = 144 if is_first else 72  # an eighth of those in a frame: bytes for bits
    bits = 1000 * MP3_BITRATES[is_first][bitrate]
    return (version, rate), samples_per_8 * bits // MP3_SAMPLE_RATES[version][rate] + padding


def _aac_frame(header: bytes) -> tuple[object, int] | None:
    """Of an ADTS stream."""
    if len(header) < SMALLEST_AAC_FRAME or header[0] != 0xFF or header[1] & 0xF6 != 0xF0:
        return None
    rate = header[2] >> 2 & 15
    length = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
    if rate > 12 or length <= SMALLEST_AAC_FRAME:
        return None
    return (header[1], header[2]), length
