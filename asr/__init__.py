"""Acoustic recognition: encoded audio in, a transcript out. Knows nothing of HTTP or of search.

Read in the order the data flows: `audio` (bytes to samples), `audio_workers` (the same, apart from the server),
`quality` (is there anything to recognise), `windows` (long audio in pieces), `features` (samples to log-mel), `model`
(the Whisper network), `checkpoints` and `weights/` (where its weights come from), `languages` (what Whisper knows),
`tokenizer` and `decoding` (encoded audio to hypotheses), `engine` (the thread that owns the model), `invention` (was
it really said), `transcriber` (all of it in one call) and `transcript` (what comes out).
"""
