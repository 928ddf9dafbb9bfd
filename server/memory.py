"""What Python and malloc do with memory, kept from getting in the way of a server that runs for months."""

import ctypes
import gc

# glibc's alone; musl and macOS give back by themselves.
_malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)


def freeze_gc() -> None:
    """Have the garbage collector pass over all that there is now: looking at it takes 100 ms, and all threads wait."""
    gc.collect()
    gc.freeze()


def trim_malloc() -> None:
    """Return to the system what has been freed and malloc keeps for later, which may be hundreds of megabytes."""
    if _malloc_trim:
        _malloc_trim(0)
