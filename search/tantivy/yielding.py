"""Letting others have the interpreter."""

import threading
import time
from contextlib import AbstractContextManager

# Seconds; the system makes some 60 µs of it.
NAP = 1e-6


class Courtesy(AbstractContextManager[None]):
    """Who is in a hurry works inside it, and who is not gives way.

    A search gives the interpreter up whenever Tantivy works for it, and then waits until the turn of the thread that
    took it is over, 5 ms, again and again.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hurried = 0

    def __enter__(self) -> None:
        with self._lock:
            self._hurried += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._hurried -= 1

    def give_way(self) -> None:
        if self._hurried:
            time.sleep(NAP)
