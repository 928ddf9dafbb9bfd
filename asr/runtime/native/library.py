"""The compiled library as Python sees it: which paths it has, and which of them this processor runs."""

import ctypes
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from asr.errors import AsrError
from asr.runtime.native.build import LIBRARY, PATHS, fingerprint

COMPILE = "with a C compiler (Debian and Ubuntu: apt install gcc libc6-dev), run: python -m asr.runtime.native.build"


class NativeUnavailable(AsrError):
    """There is no library, or it cannot compute what is asked of it; the message says why, and how to mend it."""


class UnsuitableModel(NativeUnavailable):
    """The kernels are not made for a model of such a shape."""


@dataclass(frozen=True)
class Kernels:
    """The network as one path computes it: the functions of `encoder.c`, `decoder.c` and `pack.c`."""

    library: ctypes.CDLL
    path: str

    def __getattr__(self, name: str) -> Callable[..., int]:
        if name.startswith("_"):  # what Python itself looks for, as in a copy that is not made yet
            raise AttributeError(name)
        function: Callable[..., int] = getattr(self.library, f"{name}_{self.path}")
        object.__setattr__(self, name, function)  # found once
        return function

    def sizes(self, name: str, count: int) -> tuple[int, ...]:
        """Bytes of the structures that Python mirrors, as `encoder.c` or `decoder.c` tells them."""
        sizes = (ctypes.c_int32 * count)()
        getattr(self, name)(sizes)
        return tuple(sizes)


def load_kernels(file: Path | None = None) -> dict[str, Kernels]:
    """Kernels by path: those that the library has and this processor runs, the newest instructions last.

    Raises NativeUnavailable.
    """
    file = file or LIBRARY
    if not os.path.exists(file):
        raise NativeUnavailable(f"the network was not compiled when Sayseek was installed; {COMPILE}")
    try:
        library = ctypes.CDLL(str(file))
        library.fingerprint.restype = ctypes.c_char_p
        compiled_of, ours = library.fingerprint().decode(), fingerprint()
    except (OSError, AttributeError) as error:
        raise NativeUnavailable(f"the compiled network cannot be loaded: {error}; {COMPILE}") from error
    if compiled_of != ours:
        raise NativeUnavailable(f"the compiled network is of another version; {COMPILE}")
    runs = [path for path in PATHS if hasattr(library, f"encoder_run_{path}") and library.processor_runs(path.encode())]
    return {path: Kernels(library, path) for path in runs}
