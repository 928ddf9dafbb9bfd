"""Sound in: bytes to samples, and what of them is worth recognising.

Read `decode` (a clip's bytes to samples at 16 kHz), `workers` (the same in processes of their own), `pcm_stream` (raw
sound as it arrives), `quality` (the gate: is there speech), `windows` (the pieces that are recognised), `comfort_noise`
and `features` (samples to a log-mel spectrogram).
"""
