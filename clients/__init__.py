"""The edge: programs that capture speech, cut out the utterances and ask a Sayseek server.

Light on purpose: numpy, webrtcvad, soundfile, soxr and httpx, no torch. Read in this order:

- `client` is the Python client, over `protocol` (what is sent and answered), `retries`, `answers` and `errors`;
- `utterances` cuts speech out of recordings;
- `web/` is the page for browsers, which a server serves at /: plain HTML, CSS and JavaScript modules, `page.js` first;
- `cli` is the `sayseek` command, over `asking` (files in, outcomes out) and `printing`.
"""
