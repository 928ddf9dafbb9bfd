"""Measurements that anyone can run again; RESULTS.md has their results, EXPERIMENTS.md what was tried besides.

`startup` times a start and weighs the process, `responsiveness` looks at /healthz under load, `malformed` throws
damaged uploads at a server, `endpointing` looks for the utterances in a manifest's recordings, `streaming` listens to
them live, alone and in a crowd (`streams` is its client, `soak` its hostile one). `latency` and `throughput` compare
with faster-whisper, `breakdown` says where the time goes, `arithmetics` whether `auto` chooses well, `model_sizes` what
larger models need, `device` how fast the engine is on a GPU (`on_gpu.sh` tests it, too), `peer` transcribes a manifest
with faster-whisper, to be scored by `sayseek-server evaluate`, `candidates` looks for the names that were said among
those that sound like what was heard, and `meaning` finds out how many of these to ask the acoustic model about, and
what its word should count.
"""

import asr  # noqa: F401 - sets how long PyTorch's threads look for work, which they read when PyTorch is loaded
