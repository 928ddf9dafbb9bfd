"""The processor is named, and sorted into its kind, by what each system says of it."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from benchmarks import processor
from benchmarks.processor import KINDS, Processor, machine_kind, parse_cpuinfo, parse_sysctl, this_processor

MILAN = """
processor\t: 0
vendor_id\t: AuthenticAMD
model name\t: AMD EPYC 7763 64-Core Processor
flags\t\t: fpu sse2 ssse3 fma avx f16c avx2 bmi2 vaes

processor\t: 1
model name\t: another
flags\t\t: fpu amx_int8
"""
GENOA = MILAN.replace("vaes", "avx512f avx512_vnni avx512_bf16", 1).replace("7763", "9654")
SAPPHIRE_RAPIDS = GENOA.replace("avx512_bf16", "avx512_bf16 avx_vnni amx_bf16 amx_tile amx_int8")
GRAVITON = """
processor\t: 0
BogoMIPS\t: 2100.00
Features\t: fp asimd aes crc32 asimdhp asimddp sve i8mm bf16
CPU implementer\t: 0x41
"""
APPLE_M2 = """
machdep.cpu.cores_per_package: 8
machdep.cpu.brand_string: Apple M2
hw.optional.floatingpoint: 1
hw.optional.arm.FEAT_DotProd: 1
hw.optional.arm.FEAT_I8MM: 1
hw.optional.arm.FEAT_SME: 0
"""
APPLE_M1 = APPLE_M2.replace("M2", "M1").replace("I8MM: 1", "I8MM: 0")
INTEL_MAC = """
machdep.cpu.brand_string: Intel(R) Core(TM) i7-1068NG7 CPU @ 2.30GHz
machdep.cpu.features: FPU VME SSE4.2 FMA AVX1.0
machdep.cpu.leaf7_features: BMI1 AVX2 AVX512F AVX512VNNI
hw.optional.avx2_0: 1
"""


@pytest.mark.parametrize(
    ("found", "name", "sets", "kind"),
    [
        (parse_cpuinfo(MILAN), "AMD EPYC 7763 64-Core Processor", "avx2 fma", "AVX2"),
        (
            parse_cpuinfo(GENOA),
            "AMD EPYC 9654 64-Core Processor",
            "avx2 fma avx512f avx512_vnni avx512_bf16",
            "AVX-512 VNNI bf16",
        ),
        (
            parse_cpuinfo(SAPPHIRE_RAPIDS),
            "AMD EPYC 9654 64-Core Processor",
            "avx2 fma avx_vnni avx512f avx512_vnni avx512_bf16 amx_int8",
            "AMX",
        ),
        (parse_cpuinfo(GRAVITON), "", "asimddp i8mm", "NEON i8mm"),
        (parse_sysctl(APPLE_M2), "Apple M2", "asimddp i8mm", "NEON i8mm"),
        (parse_sysctl(APPLE_M1), "Apple M1", "asimddp", "NEON dot product"),
        (
            parse_sysctl(INTEL_MAC),
            "Intel(R) Core(TM) i7-1068NG7 CPU @ 2.30GHz",
            "avx2 fma avx512f avx512_vnni",
            "AVX-512 VNNI",
        ),
    ],
)
def test_processors_by_what_their_systems_say(found: Processor, name: str, sets: str, kind: str) -> None:
    assert found == Processor(name, tuple(sets.split()))
    assert found.kind == kind


def test_every_kind_can_be_had() -> None:
    """A kind that came after one with fewer needs would never be chosen."""
    for kind, needed in KINDS.items():
        assert Processor("", tuple(needed)).kind == kind


def test_this_machine_has_a_name_and_a_kind() -> None:
    assert this_processor().name
    assert machine_kind()


@pytest.mark.parametrize("system", ["Linux", "Windows", "FreeBSD"])
def test_a_system_without_cpuinfo_is_no_error(system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "none")
    monkeypatch.setattr(processor.platform, "system", lambda: system)
    monkeypatch.setattr(processor.platform, "machine", lambda: "riscv64")
    monkeypatch.setattr(processor.platform, "processor", lambda: "")
    assert this_processor() == Processor("riscv64", ())
    assert machine_kind() == "riscv64"


@pytest.mark.parametrize("error", [FileNotFoundError(), subprocess.TimeoutExpired("sysctl", 10)])
def test_macos_without_sysctl_is_no_error(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(processor.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(processor.platform, "machine", lambda: "arm64")
    monkeypatch.setattr(processor.subprocess, "run", run)
    assert machine_kind() == "arm64"
