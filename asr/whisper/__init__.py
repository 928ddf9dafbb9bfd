"""The Whisper network and where its weights come from.

Read `model` (the network), `encoding` (log-mel spectrogram to encoded audio, no longer than the clip), `tokenizer`,
`checkpoints` (finding and loading a model) and `weights/` (one file for each format).
"""
