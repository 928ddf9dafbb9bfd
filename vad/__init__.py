"""Voice activity: which stretches of an audio stream are someone speaking.

Read in this order: `channels` makes one of several; `frames` cuts a byte stream into frames of 20 ms; `clip_detector`
says of a recording's whether they are speech (WebRTC VAD, and the level above the `noise_floor`); `live_detector` asks
more of a live stream: `voicing` too; `endpointer` turns such decisions into utterances, cutting long ones at `pauses`;
`utterances` cuts these out of the samples, of which `held_audio` keeps what is needed. All light enough for the edge:
no torch, no I/O, no clock.
"""
