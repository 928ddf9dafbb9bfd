"""Write the lock anew from pyproject.toml: make lock (UPGRADE=1 for the newest releases, UPGRADE="httpx rich" for some)

The lock is for CPython 3.11 to 3.13 on Linux (x86-64, arm64) and macOS (arm64). What it names already stays, as long as
pyproject.toml allows it. Each package stands in the first file of `install.LAYERS` that needs it, or in one of these:

- build.txt: what builds the project, and the one dependency that is published as source;
- torch.txt: PyTorch. The package index has only builds with CUDA for Linux. Those for the CPU are allowed by the hashes
  in torch-cpu.sha256, which are kept by hand: PyTorch's own index gives them in its links;
- cuda.txt: what PyTorch asks for on Linux and on no other system;
- lock.txt: uv, by which this file works;
- lowest.txt: the lowest releases that pyproject.toml allows, where they differ from the lock, and what they need.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

FOLDER = Path(__file__).parent
PYTHON = "3.11"  # the oldest: with `--universal`, releases are chosen that newer ones can use, too
NOTE = "# By requirements/lock.py from pyproject.toml: make lock\n"
TOOLS = ["editables", "setuptools", "wheel"]  # for an editable install, and for the one dependency without a wheel
PLATFORMS = [("darwin", "arm64"), ("linux", "aarch64"), ("linux", "x86_64")]

PROJECT = """[project]
name = "wanted"
version = "0"
requires-python = ">={python}"
dependencies = {lines}
[tool.uv]
environments = {environments}
"""
ENVIRONMENT = "python_full_version < '3.14' and platform_machine == '{machine}' and sys_platform == '{system}'"

Pins = dict[str, str]  # the name of a package → its entry: version, marker and hashes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upgrade", default="", help="1, or the names of packages")
    upgrade = parser.parse_args().upgrade.split()
    wanted = read_wanted()
    lines = [line for layer in wanted.values() for line in layer]
    known = {
        name: pin for file in FOLDER.glob("*.txt") if file.stem != "lowest" for name, pin in read_pins(file).items()
    }
    options = ["--upgrade"] if upgrade == ["1"] else [f"--upgrade-package={name}" for name in upgrade]
    full = compiled(lines, *options, known=known)

    rest = dict(full)
    for layer in ("lock", "build", "edge", "torch", "cuda", "server", "dev", "benchmarks"):
        if layer == "torch":
            names = {"torch"}
        elif layer == "cuda":
            names = (
                compiled(["torch"], within=full).keys() - compiled(["torch"], within=full, systems=["darwin"]).keys()
            )
        else:
            names = set(compiled(wanted[layer], within=full))
        write(layer, {name: rest.pop(name) for name in sorted(names & rest.keys())})
    assert not rest

    direct = {name_of(line) for line in lines}
    others = {name: pin for name, pin in full.items() if name not in direct}
    everything = [line for line in lines if line not in (*TOOLS, "uv")]
    lowest = compiled(everything, "--resolution", "lowest-direct", known=others)
    write(
        "lowest",
        {name: pin for name, pin in lowest.items() if name not in full or version_of(pin) != version_of(full[name])},
    )


def read_wanted() -> dict[str, list[str]]:
    """The requirements that pyproject.toml states, by layer."""
    project = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text())
    extras = {"edge": project["project"]["dependencies"], **project["project"]["optional-dependencies"]}
    own = {layer: [line for line in lines if name_of(line) != "sayseek"] for layer, lines in extras.items()}
    return {"lock": ["uv"], "build": [*project["build-system"]["requires"], *TOOLS], **own}


def compiled(
    lines: Iterable[str],
    *options: str,
    known: Pins | None = None,
    within: Pins | None = None,
    systems: Sequence[str] = ("darwin", "linux"),
) -> Pins:
    """What uv chooses for these requirements on all platforms: rather what is known, and nothing that is not within."""
    environments = [
        ENVIRONMENT.format(system=system, machine=machine) for system, machine in PLATFORMS if system in systems
    ]
    with tempfile.TemporaryDirectory() as folder:
        project, pins, limits = (Path(folder, name) for name in ("pyproject.toml", "pins.txt", "limits.txt"))
        project.write_text(PROJECT.format(python=PYTHON, lines=list(lines), environments=environments))
        pins.write_text("".join(map(without_hashes, (known or {}).values())))
        limits.write_text("".join(map(without_hashes, (within or {}).values())))
        command = [
            sys.executable,
            "-m",
            "uv",
            "pip",
            "compile",
            "--universal",
            "--quiet",
            "--no-header",
            "--no-annotate",
        ]
        command += ["--no-emit-index-url", "--generate-hashes", "--fork-strategy", "fewest", *options]
        command += ["--python-version", PYTHON, "--constraint", str(limits), "--output-file", str(pins), str(project)]
        subprocess.run(command, check=True, cwd=folder)
        return read_pins(pins)


def read_pins(file: Path) -> Pins:
    entries = re.findall(r"^[a-z0-9].*(?:\n    --hash.*)+\n", file.read_text(), re.M)
    pins: Pins = {}
    for entry in entries:
        assert name_of(entry) not in pins, f"two versions of {name_of(entry)}"
        pins[name_of(entry)] = plain(entry)
    return pins


def plain(entry: str) -> str:
    """The entry without the marker that says for which platforms the lock is, or with what is left to say: Linux."""
    marker = re.sub(r" and (?:platform_python_)?implementation(?:_name)? != '[Pp]y[Pp]y'", "", entry)
    platforms = [f"(platform_machine == '{machine}' and sys_platform == '{system}')" for system, machine in PLATFORMS]
    python = " ; python_full_version < '3.14' and "
    marker = marker.replace(f"{python}({' or '.join(platforms)})", "")
    return marker.replace(f"{python}({' or '.join(platforms[1:])})", " ; sys_platform == 'linux'")


def write(layer: str, pins: Pins) -> None:
    if layer == "torch":
        builds = re.findall(r"^(\w+)  torch-(.*?)\+", (FOLDER / "torch-cpu.sha256").read_text(), re.M)
        hashes = [digest for digest, version in builds if version == version_of(pins["torch"])]
        assert hashes, "torch-cpu.sha256 is of another version of PyTorch"
        entry = " \\\n".join([pins["torch"].rstrip(), *(f"    --hash=sha256:{digest}" for digest in hashes)])
        pins = {"torch": f"{entry}\n"}
    (FOLDER / f"{layer}.txt").write_text(NOTE + "".join(pins.values()))


def without_hashes(pin: str) -> str:
    return f"{name_of(pin)}=={version_of(pin)}\n"


def name_of(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    assert found
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def version_of(pin: str) -> str:
    found = re.match(r"[^=]+==([^\s;]+)", pin)
    assert found
    return found[1]


if __name__ == "__main__":
    main()
