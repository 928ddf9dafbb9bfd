"""Voice activity: which stretches of an audio stream are someone speaking.

`detector` says whether one 20 ms frame is speech (WebRTC VAD); `endpointer` turns such decisions into
utterances. Both are light enough for the edge: no torch, no I/O, no clock.
"""
