"""How much audio a listener may send: some at once, and from then on several times as much as is spoken meanwhile.

Who sends as fast as the network carries would else have a processor, even with silence, and all others would wait.
"""

BURST_SECONDS = 60.0  # of audio at once: a recording that is sent at full speed, or what a client kept meanwhile
PACE = 8.0  # seconds of audio a second: a client that is behind catches up before it gives the server up
MESSAGE_SECONDS = 0.005  # of audio that reading a message is worth, however little is in it


class TokenBucket:
    """What one listener has left; it begins at the time `now`, in seconds."""

    def __init__(self, now: float) -> None:
        self._left = BURST_SECONDS
        self._at = now

    def spend(self, seconds: float, now: float) -> float:
        """Count what has been heard, in seconds of audio. Gives how many seconds to wait before hearing more."""
        self._left = min(BURST_SECONDS, self._left + PACE * (now - self._at)) - seconds
        self._at = now
        return max(0.0, -self._left / PACE)
