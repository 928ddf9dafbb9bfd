"""Try the lowest releases that pyproject.toml allows: make test-lowest

lowest.txt is installed over the environment that runs this, which is that of the lock. What it does not name is the
same at both ends, PyTorch and the packaged models among it. Then the server starts, and the quick tests run.
"""

import sys
from pathlib import Path

from overlay import ROOT, Overlay


def main() -> None:
    lowest = Overlay(ROOT / "build" / "lowest")
    file = str(Path(__file__).with_name("lowest.txt"))
    failed = lowest.install("--no-deps", "--require-hashes", "--only-binary", ":all:", "--requirement", file)
    # The project is built by the lowest release of its build tool, too.
    failed = failed or lowest.install("--no-deps", "--no-build-isolation", str(ROOT))
    failed = failed or lowest.test()
    if failed:
        sys.exit(f"{failed}\nThe lowest releases that pyproject.toml allows do not work.")
    print("The lowest releases that pyproject.toml allows work.")


if __name__ == "__main__":
    main()
