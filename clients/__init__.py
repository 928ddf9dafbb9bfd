"""The edge: programs that capture speech, cut out the utterances and ask a Sayseek server.

`client` is the Python client, `utterances` cuts speech out of recordings, `cli` is the `sayseek` command.
Light on purpose: numpy, webrtcvad, soundfile and httpx, no torch.
"""
