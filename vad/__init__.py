"""Voice activity: which stretches of an audio stream are someone speaking.

Read in this order: `frames` cuts a byte stream into frames; `detector` says whether one 20 ms frame is speech
(WebRTC VAD, and the level above the `noise_floor`); `endpointer` turns such decisions into utterances;
`utterances` cuts these out of the samples. All light enough for the edge: no torch, no I/O, no clock.
"""
