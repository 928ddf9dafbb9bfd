"""Say which newer releases break the project: make newer (ONLY="httpx av" for some)

Each direct dependency of which there is a newer release than the one at hand is tried alone. That release is installed
over the environment that runs this, with what it asks for and is not there, and the quick tests run. PyTorch, which is
large, is tried only if it is named.
"""

import argparse
import json
import re
import subprocess
import sys

from lock import name_of, read_wanted
from overlay import ROOT, Overlay
from packaging.requirements import Requirement


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("only", nargs="*", help="names of packages")
    only = {name_of(name) for name in parser.parse_args().only}
    wanted = {name_of(line): Requirement(line) for layer in read_wanted().values() for line in layer}
    row = "{:24} {:14} {:14} {:9} {}"
    print(row.format("package", "at hand", "newest", "in range", "result"))
    for found in outdated():
        name, newest = name_of(found["name"]), found["latest_version"]
        if name in wanted and (name in only or (not only and name != "torch")):
            in_range = "yes" if newest in wanted[name].specifier else "no"
            print(row.format(name, found["version"], newest, in_range, tried(f"{name}=={newest}")), flush=True)


def outdated() -> list[dict[str, str]]:
    """What there is a newer release of."""
    command = [sys.executable, "-m", "pip", "list", "--disable-pip-version-check", "--outdated", "--format", "json"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    if listed.returncode:
        sys.exit(listed.stderr)
    return list(json.loads(listed.stdout))


def tried(requirement: str) -> str:
    overlay = Overlay(ROOT / "build" / "newer")
    failed = overlay.install("--only-binary", ":all:", requirement)
    if failed:
        return f"cannot be installed: {first_error(failed)}"
    failed = overlay.test()
    return f"breaks: {first_error(failed)}" if failed else "works"


def first_error(output: str) -> str:
    """The line that says most, and which test it is from."""
    lines = re.findall(r"^(?:E  +|ERROR: )(.+)", output, re.M) or output.strip().splitlines()[-1:]
    tests = re.findall(r"^(?:FAILED|ERROR) (tests/[^\[\s]+)", output, re.M)
    return " · ".join([*tests[:1], *lines[:1]])[:200]


if __name__ == "__main__":
    main()
