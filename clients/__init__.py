"""The edge: programs that capture speech, cut out the utterances and ask a Sayseek server.

Light on purpose: numpy, webrtcvad, soundfile, soxr and httpx, no torch. Read in this order:

- `client` is the Python client, over `protocol` (what is sent and answered), `retries`, `answers` and `errors`;
- `utterances` cuts speech out of recordings;
- `cli` is the `sayseek` command, over `asking` (files in, outcomes out) and `printing`.
"""
