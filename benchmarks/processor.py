"""Name this machine's processor and the instruction sets that decide how fast recognition runs on it."""

import contextlib
import platform
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
SYSCTL_SECONDS = 10.0

# The instruction sets that results name. Each has the names that Linux and macOS give it, in lower case.
INSTRUCTION_SETS = {
    "avx2": {"avx2"},
    "fma": {"fma"},
    "avx_vnni": {"avx_vnni"},
    "avx512f": {"avx512f"},
    "avx512_vnni": {"avx512_vnni", "avx512vnni"},
    "avx512_bf16": {"avx512_bf16", "avx512bf16"},
    "amx_int8": {"amx_int8"},
    "asimddp": {"asimddp", "feat_dotprod"},
    "i8mm": {"i8mm", "feat_i8mm"},
}

# The kinds of processors, the best first. A processor is of the first kind whose instruction sets it has.
KINDS = {
    "AMX": {"amx_int8"},
    "AVX-512 VNNI bf16": {"avx512_vnni", "avx512_bf16"},
    "AVX-512 VNNI": {"avx512_vnni"},
    "AVX-VNNI": {"avx_vnni"},
    "AVX-512": {"avx512f"},
    "AVX2": {"avx2", "fma"},
    "NEON i8mm": {"i8mm"},
    "NEON dot product": {"asimddp"},
}


@dataclass(frozen=True)
class Processor:
    """A processor's name, as the system gives it, and its instruction sets: keys of `INSTRUCTION_SETS`, in order."""

    name: str
    instruction_sets: tuple[str, ...]

    @property
    def kind(self) -> str:
        """The best kind whose instruction sets are all there, or the architecture if no kind fits."""
        fitting = (kind for kind, needed in KINDS.items() if needed <= set(self.instruction_sets))
        return next(fitting, platform.machine() or "unknown")


def this_processor() -> Processor:
    """Describe this machine's processor. A system that lists no flags gives no instruction sets; nothing is raised."""
    found = Processor("", ())
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        if platform.system() == "Darwin":
            command = ["sysctl", "machdep.cpu", "hw.optional"]
            # sysctl fails if one of the two names is unknown, and still prints the other.
            done = subprocess.run(command, capture_output=True, text=True, timeout=SYSCTL_SECONDS, check=False)
            found = parse_sysctl(done.stdout)
        else:
            found = parse_cpuinfo(CPUINFO.read_text(encoding="utf-8", errors="replace"))
    return replace(found, name=found.name or platform.processor() or platform.machine() or "unknown processor")


def machine_kind() -> str:
    """Return the kind of this machine's processor: the short, stable name of a column or a block of the results."""
    return this_processor().kind


def parse_cpuinfo(text: str) -> Processor:
    """Read Linux's /proc/cpuinfo. The first processor counts; on arm64 it has no name."""
    values = _first_values(text)
    flags = f"{values.get('flags', '')} {values.get('Features', '')}".split()
    return Processor(values.get("model name", ""), _instruction_sets(flags))


def parse_sysctl(text: str) -> Processor:
    """Read the output of macOS's `sysctl machdep.cpu hw.optional`.

    An Intel processor lists its flags in `machdep.cpu.features` and `machdep.cpu.leaf7_features`. An arm64 processor
    has one line for each flag, `hw.optional.arm.NAME: 1`.
    """
    values = _first_values(text)
    flags = f"{values.get('machdep.cpu.features', '')} {values.get('machdep.cpu.leaf7_features', '')}".split()
    flags += [name.rpartition(".")[2] for name, value in values.items() if "hw.optional." in name and value == "1"]
    return Processor(values.get("machdep.cpu.brand_string", ""), _instruction_sets(flags))


def _instruction_sets(flags: Iterable[str]) -> tuple[str, ...]:
    given = {flag.lower() for flag in flags}
    return tuple(known for known, names in INSTRUCTION_SETS.items() if names & given)


def _first_values(text: str) -> Mapping[str, str]:
    """Parse lines of `name: value`. The first value of a name counts."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        name, found, value = line.partition(":")
        if found:
            values.setdefault(name.strip(), value.strip())
    return values
