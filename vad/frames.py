"""A byte stream in pieces of any length, cut into frames of one length."""

SAMPLE_RATE = 16_000  # what the models hear
FRAME_SECONDS = 0.02
FRAME_SAMPLES = round(SAMPLE_RATE * FRAME_SECONDS)


class FrameCutter:
    """Cuts PCM bytes into frames of `frame_bytes`, however the bytes arrive.

    Raises `ValueError` when `frame_bytes` is not positive.
    """

    def __init__(self, frame_bytes: int) -> None:
        if frame_bytes < 1:
            raise ValueError(f"a frame needs at least one byte, not {frame_bytes}")
        self._frame_bytes = frame_bytes
        self._rest = b""

    def push(self, data: bytes) -> list[bytes]:
        """The frames that `data` completes, in order; what is left over waits for the next call."""
        data = self._rest + data
        whole = len(data) - len(data) % self._frame_bytes
        self._rest = data[whole:]
        return [data[at : at + self._frame_bytes] for at in range(0, whole, self._frame_bytes)]

    @property
    def rest(self) -> bytes:
        """What has come of a frame that is not complete."""
        return self._rest
