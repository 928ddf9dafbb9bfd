"""The edge: programs that capture speech, cut out the utterances and ask a Sayseek server.

Light on purpose: numpy, webrtcvad, soundfile, sounddevice, soxr, httpx and websockets, no torch. Read in this order:

- `client` is the Python client, over `protocol` (what is sent and answered), `retries`, `answers` and `errors`;
- `stream` is speech while it is spoken, over connections that may break: `live_protocol` says how to ask for it,
  `messages` read what comes as `events`, and the `ledger` keeps what has no final yet (`backlog`, `timeline`);
- `utterances` cuts speech out of recordings, `speech_gate` out of what is heard just now;
- `web/` is the page for browsers, which a server serves at /: plain HTML, CSS and JavaScript modules, `page.js` first;
- `cli` is the `sayseek` command, over `asking` (files in, outcomes out) and `printing`; and over `microphone` or
  `playing`, `listening` and `live_printing`.
"""
