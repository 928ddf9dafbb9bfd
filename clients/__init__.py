"""The edge: programs that capture speech, cut out the utterances and ask a Sayseek server.

Light on purpose: numpy, webrtcvad, soundfile, sounddevice, soxr, httpx and websockets, no torch. Read in this order:

- `client` is the Python client, over `protocol` (what is sent and answered), `retries`, `answers` and `errors`;
- `live/` is speech while it is spoken, over connections that may break;
- `sound/` has the microphone, and cuts speech out of what it hears and out of recordings;
- `web/` is the page for browsers, which a server serves at /: plain HTML, CSS and JavaScript modules;
  `page/page.js` first, then `live/` (the connection) and `audio/` (microphone and detector);
- `command/` is the `sayseek` command.
"""
