"""Compiles C for this very processor, once, and loads it."""

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

from asr.errors import AsrError

FOLDER = Path(__file__).parent
SOURCES = [FOLDER / "decoder.c", FOLDER / "encoder.c", FOLDER / "pack.c"]
HEADERS = [FOLDER / "linear.h", FOLDER / "attention.h"]
COMPILERS = ("cc", "gcc", "clang")
COMPILE_SECONDS = 60.0
# Sums may be taken in any order, which is what lets loops become vector instructions.
FLAGS = (
    *("-std=c11", "-O3", "-march=native", "-shared", "-fPIC"),
    *("-fno-math-errno", "-fno-trapping-math", "-fassociative-math", "-fno-signed-zeros", "-ffinite-math-only"),
)
THREADS_FLAG = "-fopenmp"


class CannotBuild(AsrError):
    """There is no compiler, or it fails; the message says which."""


def load_library(cache: Path | None = None) -> ctypes.CDLL:
    """The compiled library, from the cache folder when it was compiled before. Raises CannotBuild."""
    compiler = next(filter(None, map(shutil.which, (os.environ.get("CC") or "", *COMPILERS))), None)
    if compiler is None:
        raise CannotBuild("there is no C compiler (Debian and Ubuntu: apt install gcc libc6-dev)")
    library = (cache or default_cache()) / f"native-{_fingerprint(compiler)}.so"
    if not os.path.exists(library):  # a Path would raise where it may not look
        _compile(compiler, library)
    try:
        return ctypes.CDLL(str(library))
    except OSError as error:
        library.unlink(missing_ok=True)
        raise CannotBuild(f"the compiled library cannot be loaded: {error}") from error


def default_cache() -> Path:
    """Where compiled code is kept: `sayseek` in the user's cache folder."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "sayseek"
    except RuntimeError as error:
        raise CannotBuild(
            "this user has no home to keep compiled code in; name a folder with --compiled-code"
        ) from error


def _fingerprint(compiler: str) -> str:
    """Of all that the library depends on: source, flags, compiler and processor."""
    parts = (
        *(path.read_bytes() for path in (*SOURCES, *HEADERS)),
        " ".join(FLAGS).encode(),
        compiler.encode(),
        _processor().encode(),
    )
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _processor() -> str:
    """The processor's instructions where the system tells them, so that a cache that moved to another is not used."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.platform() + platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), platform.machine())


def _compile(compiler: str, library: Path) -> None:
    """Compile to a file beside, then rename: whoever looks in the cache meanwhile finds nothing half done."""
    try:
        library.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=library.parent) as scratch:
            built = Path(scratch) / library.name
            command = [compiler, *FLAGS, *map(str, SOURCES), "-o", str(built), "-lm"]
            # Some compilers come without OpenMP: the step then takes one thread.
            if _fails([*command, THREADS_FLAG]) and (complaint := _fails(command)):
                raise CannotBuild(f"{compiler} fails: {complaint}")
            built.replace(library)
    except OSError as error:
        raise CannotBuild(f"nothing can be written to {library.parent}: {error.strerror}") from error


def _fails(command: list[str]) -> str:
    """What the compiler complains of; nothing when it succeeds."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"it takes longer than {COMPILE_SECONDS:g} seconds"
    except OSError as error:
        return f"it cannot be run: {error.strerror}"
    return (done.stderr.strip().splitlines() or ["it says nothing"])[-1] if done.returncode else ""
