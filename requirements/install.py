"""Install what the lock names, and nothing else, into the environment of the Python that runs this.

Each package is of the one version that was tested, and pip refuses a file whose hash is not in the lock. The project
itself is installed afterwards: pip install --no-deps --no-build-isolation .
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).parent
# The files of each set, in this order; torch.txt and cuda.txt belong to all but the edge client's.
LAYERS = {
    "edge": ["edge"],
    "server": ["edge", "server"],
    "dev": ["edge", "server", "dev"],
    "benchmarks": ["edge", "server", "dev", "benchmarks"],
}
NO_WHEEL = "openai-whisper"  # is published as source only; the others are wheels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("set", choices=LAYERS)
    parser.add_argument(
        "--torch-index", default="", help="where PyTorch comes from: an index's address, or a folder of wheels"
    )
    arguments = parser.parse_args()
    _pip("build")
    if arguments.set != "edge":
        _install_torch(arguments.torch_index)
    _pip(*LAYERS[arguments.set], options=["--no-build-isolation", "--no-binary", NO_WHEEL])


def _install_torch(index: str) -> None:
    """The build that the index has for this machine; with NVIDIA's libraries only if that build asks for them."""
    if index and _wants_nvidia():
        sys.exit("PyTorch with CUDA is installed here already. Run make clean first.")
    source = ["--index-url", index] if "://" in index else ["--no-index", "--find-links", index] if index else []
    _pip("torch", options=source)
    if _wants_nvidia():
        _pip("cuda")


def _wants_nvidia() -> bool:
    """Whether the PyTorch that is installed, if any is, asks for NVIDIA's libraries where it runs on Linux."""
    code = "from importlib.metadata import requires; print(requires('torch'))"
    asked = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=False)
    return "nvidia" in asked.stdout


def _pip(*layers: str, options: Sequence[str] = ()) -> None:
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "on"]
    command += ["--no-deps", "--require-hashes", "--only-binary", ":all:", *options]
    for layer in layers:
        command += ["--requirement", str(FOLDER / f"{layer}.txt")]
    if failed := subprocess.run(command, check=False).returncode:
        sys.exit(failed)


if __name__ == "__main__":
    main()
