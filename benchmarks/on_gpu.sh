#!/bin/sh
# On a machine with an NVIDIA GPU: does it say what a CPU says, and how fast? Results are left in the folder that OUT
# names, in gpu-results by default. It needs the package's `dev` extra installed with a CUDA build of PyTorch.
set -e
cd "$(dirname "$0")/.."
OUT=${OUT:-gpu-results}
mkdir -p "$OUT"
nvidia-smi > "$OUT/gpu.txt"
python3 -m pytest -q tests/asr/runtime/test_cuda.py 2>&1 | tee "$OUT/tests.txt"
python3 -m benchmarks.device --write 2>&1 | tee "$OUT/device.txt"
cp benchmarks/RESULTS.md "$OUT/"
