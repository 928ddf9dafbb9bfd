"""Where what was sent lies in the whole stream, of which parts may have been left out."""

from bisect import bisect_right


class Timeline:
    """Maps offsets into what was sent to positions in the stream; both count bytes, and grow."""

    def __init__(self) -> None:
        self._offsets = [0]
        self._skipped = [0]  # in all, from that offset on

    def __len__(self) -> int:
        return len(self._offsets)

    def skip(self, offset: int, size: int) -> None:
        """Before what lies at `offset`, the last so far, `size` bytes of the stream are left out."""
        if self._offsets[-1] == offset:
            self._skipped[-1] += size
        else:
            self._offsets.append(offset)
            self._skipped.append(self._skipped[-1] + size)

    def position(self, offset: int) -> int:
        """Where that which lies at `offset` is in the stream."""
        return offset + self._skipped[bisect_right(self._offsets, offset) - 1]

    def forget(self, offset: int) -> None:
        """Nothing before `offset` will be asked for."""
        known = max(0, bisect_right(self._offsets, offset) - 1)
        del self._offsets[:known], self._skipped[:known]
