"""Every path that can be compiled is held to a reference of its own: those that this processor runs on it, those of
other processors in emulation.

What is compared, and how closely, stands in `native/check.c`. Intel's newer instructions are emulated instruction by
instruction, and ARM's processors by QEMU.
"""

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from asr.runtime.native import build

HERE = Path(__file__).parent
EMULATION = HERE / "emulation"
SIMDE = Path("/usr/include/simde")
ARM_COMPILER = "aarch64-linux-gnu-gcc"
ARM_SYSTEM = Path("/usr/aarch64-linux-gnu")
# By what attention's numbers are rounded to: the bits of their mantissas, for keys and values and for all else.
REFERENCES = {"float32": (23, 23), "float16": (10, 23), "bfloat16": (7, 7)}
SECONDS = 240.0
CI = os.environ.get("CI") == "true"  # there nothing is skipped
X86 = platform.machine() == "x86_64"


def run(*command: object) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert not done.returncode, done.stdout + done.stderr
    return done.stdout


def compiled_check(compiler: Sequence[str], folder: Path) -> Path:
    """The program that compares, for one architecture."""
    flags = (
        "-std=gnu11",
        "-O1",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-Wno-unused-function",
        f"-I{build.FOLDER}",
        f"-I{HERE}",
    )
    references = [folder / f"{name}.o" for name in REFERENCES]
    for (name, (kept, asked)), to in zip(REFERENCES.items(), references, strict=True):
        bits = (f"-DPATH={name}", f"-DELEMENT_BITS={kept}", f"-DFACTOR_BITS={asked}")
        run(*compiler, *flags, *bits, "-c", HERE / "reference.c", "-o", to)
    program = folder / "check"
    sources = (HERE / "check.c", build.FOLDER / "threads.c", *references)
    run(*compiler, *flags, *sources, "-o", program, "-lm", "-lpthread", "-ldl")
    return program


def right(output: str) -> set[str]:
    """The paths that were compared and found right."""
    return {line.partition(":")[0] for line in output.splitlines() if ": ok, " in line}


@pytest.fixture(scope="module")
def compiler() -> list[str]:
    try:
        return build.find_compiler()
    except build.CannotBuild as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def check(compiler: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled_check(compiler, tmp_path_factory.mktemp("check"))


def test_what_this_processor_runs_is_right(check: Path, kernels: dict[str, object]) -> None:
    assert right(run(check, build.LIBRARY)) == set(kernels)


@pytest.mark.skipif(not X86, reason="only x86-64 emulates the others of its kind here")
@pytest.mark.skipif(not SIMDE.exists() and not CI, reason="needs SIMDe: apt-get install libsimde-dev")
def test_what_other_x86_processors_run_is_right(
    check: Path, compiler: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulated = (f"-I{EMULATION}", "-O1", "-w", "-Wno-psabi")
    monkeypatch.setattr(build, "X86_PATHS", tuple(replace(path, flags=emulated) for path in build.X86_PATHS))
    library = tmp_path / "emulated.so"
    assert build.build(library, compiler=compiler) == []
    assert right(run(check, library, "--all")) == {path.name for path in build.X86_PATHS}


@pytest.mark.skipif(
    not CI and not (shutil.which(ARM_COMPILER) and shutil.which("qemu-aarch64")),
    reason="needs a cross compiler and QEMU: apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user",
)
def test_what_arm_processors_run_is_right(tmp_path: Path) -> None:
    """One that has all instructions, and one of the first with 64 bits, which has neither kind of products."""
    compiler = [ARM_COMPILER]
    library = tmp_path / "arm.so"
    assert build.build(library, machine="aarch64", compiler=compiler) == []
    program = compiled_check(compiler, tmp_path)
    emulator = ("qemu-aarch64", "-L", ARM_SYSTEM)
    assert right(run(*emulator, "-cpu", "max", program, library)) == {path.name for path in build.ARM_PATHS}
    assert right(run(*emulator, "-cpu", "cortex-a57", program, library)) == {"generic", "neon"}
