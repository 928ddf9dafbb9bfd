"""Acoustic recognition: encoded audio in, a transcript out. Knows nothing of HTTP or of search.

Read `transcript` (what comes out), `transcriber` (all of it in one call), then in the order the data flows: `audio/`
(bytes to log-mel spectrogram), `whisper/` (the network and its weights), `decoding/` (encoded audio to hypotheses),
`runtime/` (what computes the network), `engine/` (many clips at once). `languages` has what Whisper knows, `errors`
what can go wrong.
"""

import os

# GNU's OpenMP, which PyTorch computes with, reads this when it is loaded: how often a thread looks whether the others
# are done before it sleeps. As it comes, it looks for milliseconds on end: where another process wants the core that
# the last one needs, a step of one millisecond took 370.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")
# oneDNN keeps what it has prepared for every shape it met, up to 1024 of them; clips come in hundreds of lengths, which
# took a hundred megabytes and made nothing faster.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
