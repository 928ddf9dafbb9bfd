"""Compiles the library: `python -m asr.runtime.native.build`. Only the standard library is needed, and a C compiler.

The network is compiled once for every path that the architecture has, and all of them go into one library; which of
them run is found out where it is loaded. A package's build calls this, so that the wheel carries the library and no
compiler is needed where it runs.
"""

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from asr.errors import AsrError

FOLDER = Path(__file__).parent
LIBRARY = FOLDER / "libsayseek.so"
NETWORK = ("decoder.c", "encoder.c", "pack.c")  # compiled for every path
COMPILERS = ("cc", "gcc", "clang")
COMPILE_SECONDS = 120.0
# Sums may be taken in any order, which is what lets loops become vector instructions.
FLAGS = (
    *("-std=gnu11", "-O3", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra", "-Wno-unused-function"),
    *("-fno-math-errno", "-fno-trapping-math", "-fassociative-math", "-fno-signed-zeros", "-ffinite-math-only"),
    "-ffp-contract=fast",
)


MACOS = "11.0"  # the oldest that the library runs on, the first on Apple's own processors
SYSTEM_FLAGS = (f"-mmacosx-version-min={MACOS}",) if sys.platform == "darwin" else ()


@dataclass(frozen=True)
class NativePath:
    """One way to compute the network: its name, its kernels in `kernels/`, and the compiler's flags."""

    name: str
    tile: str
    products: str
    flags: tuple[str, ...] = ()


_AVX2 = ("-mavx2", "-mfma", "-mf16c")
_AVX512 = (
    *_AVX2,
    *("-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mavx512vnni", "-mprefer-vector-width=512"),
)
_BF16 = (*_AVX512, "-mavx512bf16")
GENERIC = NativePath("generic", "generic", "generic")
# Of each architecture, from the least to the most that a processor may have.
X86_PATHS = (
    GENERIC,
    NativePath("avx2", "avx2", "avx2", _AVX2),
    NativePath("avx_vnni", "avx_vnni", "avx2", (*_AVX2, "-mavxvnni")),
    NativePath("avx512_vnni", "avx512_vnni", "avx512", _AVX512),
    NativePath("avx512_bf16", "avx512_vnni", "bf16", _BF16),
    NativePath("amx", "amx", "bf16", (*_BF16, "-mamx-tile", "-mamx-int8")),
)
ARM_PATHS = (
    GENERIC,
    NativePath("neon", "neon", "neon"),
    NativePath("neon_dot", "neon_dot", "neon", ("-march=armv8.2-a+dotprod",)),
    NativePath("neon_i8mm", "neon_i8mm", "neon", ("-march=armv8.2-a+dotprod+i8mm",)),
)
PATHS = {path.name: path for path in (*X86_PATHS, *ARM_PATHS)}


class CannotBuild(AsrError):
    """There is no compiler, or it fails; the message says which."""


def paths_of(machine: str) -> tuple[NativePath, ...]:
    """Those that processors of an architecture may have; `machine` as `platform.machine` tells it."""
    if machine in ("x86_64", "AMD64"):
        return X86_PATHS
    return ARM_PATHS if machine in ("aarch64", "arm64") else (GENERIC,)


def processor_source(machine: str) -> str:
    """The file that tells which paths a processor can run."""
    kinds = {X86_PATHS: "processor_x86.c", ARM_PATHS: "processor_arm.c"}
    return kinds.get(paths_of(machine), "processor_other.c")


def find_compiler() -> list[str]:
    """The command that CC names, or the system's. Raises CannotBuild."""
    named = shlex.split(os.environ.get("CC") or "")
    if named:
        if not shutil.which(named[0]):
            raise CannotBuild(f"CC names {named[0]}, which is not there")
        return named
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        raise CannotBuild("there is no C compiler (Debian and Ubuntu: apt install gcc libc6-dev)")
    return [compiler]


def fingerprint() -> str:
    """Of all sources. The library carries it, so that one that was compiled of others is noticed."""
    sources = (*sorted(FOLDER.glob("*.[ch]")), *sorted(FOLDER.glob("kernels/*.h")), Path(__file__))
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()[:16]


def build(library: Path, *, machine: str = "", compiler: Sequence[str] = ()) -> list[str]:
    """Compile the library into a file, for this architecture by default; gives the paths that it cannot compile.

    Whatever uses an older library at the same place goes on with it. Raises CannotBuild.
    """
    machine, compiler = machine or platform.machine(), compiler or find_compiler()
    try:
        library.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=library.parent) as scratch:
            objects, missing = _compile(compiler, machine, Path(scratch))
            built = Path(scratch) / library.name
            if complaint := _fails(
                [*compiler, *SYSTEM_FLAGS, "-shared", *map(str, objects), "-o", str(built), "-lm", "-lpthread"]
            ):
                raise CannotBuild(f"{shlex.join(compiler)} fails: {complaint}")
            built.replace(library)
    except OSError as error:
        raise CannotBuild(f"nothing can be written to {library.parent}: {error.strerror}") from error
    return missing


def _compile(compiler: Sequence[str], machine: str, scratch: Path) -> tuple[list[Path], list[str]]:
    """Objects of all that the compiler can compile, and the paths that it cannot."""
    shared = [
        (scratch / f"{source}.o", source, flags)
        for source, flags in (
            ("threads.c", ()),
            (processor_source(machine), ()),
            ("fingerprint.c", (f'-DFINGERPRINT="{fingerprint()}"',)),
        )
    ]
    paths = {path.name: list(_objects(path, scratch)) for path in paths_of(machine)}
    with ThreadPoolExecutor(os.cpu_count()) as threads:

        def compiled(objects: Sequence[tuple[Path, str, tuple[str, ...]]]) -> str:
            commands = [[*compiler, *FLAGS, *SYSTEM_FLAGS, *flags, "-c", str(FOLDER / source), "-o", str(to)]
                        for to, source, flags in objects]  # fmt: skip
            return next(filter(None, map(_fails, commands)), "")

        complaints = dict(zip((*paths, ""), threads.map(compiled, (*paths.values(), shared)), strict=True))
    for name in ("", GENERIC.name):
        if complaints[name]:
            raise CannotBuild(f"{shlex.join(compiler)} fails: {complaints[name]}")
    missing = [name for name in paths if complaints[name]]
    objects = [*shared, *(one for name, several in paths.items() if name not in missing for one in several)]
    return [to for to, *_ in objects], missing


def _objects(path: NativePath, scratch: Path) -> Iterator[tuple[Path, str, tuple[str, ...]]]:
    """Of a path: the object, its source and the flags that are its own."""
    names = (f"-DPATH={path.name}", *(f'-D{kind}="kernels/{name}.h"' for kind, name in _kernels(path)))
    for source in NETWORK:
        yield scratch / f"{path.name}-{source}.o", source, (*path.flags, *names)


def _kernels(path: NativePath) -> tuple[tuple[str, str], ...]:
    return ("TILE_H", f"tile_{path.tile}"), ("PRODUCTS_H", f"products_{path.products}")


def _fails(command: list[str]) -> str:
    """What the compiler complains of; nothing when it succeeds."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"it takes longer than {COMPILE_SECONDS:g} seconds"
    except OSError as error:
        return f"it cannot be run: {error.strerror}"
    if not done.returncode:
        return ""
    lines = done.stderr.strip().splitlines() or ["it says nothing"]
    return next((line for line in lines if "error" in line), lines[-1])


def main() -> bool:
    """Build where the package looks for it, and say how that went; False where it could not be."""
    try:
        missing = build(LIBRARY)
    except CannotBuild as error:
        LIBRARY.unlink(missing_ok=True)
        sys.stderr.write(f"The network is not compiled, and runs in PyTorch, several times slower: {error}\n")
        return False
    if missing:
        sys.stderr.write(f"This compiler cannot compile {', '.join(missing)}: a newer one may\n")
    return True


if __name__ == "__main__":
    sys.exit(not main())
