"""Acoustic recognition: encoded audio in, a transcript out. Knows nothing of HTTP or of search.

Read in the order the data flows: `audio` (bytes to samples), `quality` (is there anything to recognise),
`features` (samples to log-mel), `model` (the Whisper network), `checkpoints` (where its weights come from),
`tokenizer` and `decoding` (log-mel to hypotheses), `engine` (the thread that owns the model),
`transcriber` (all of it in one call) and `transcript` (what comes out).
"""
