"""Acoustic recognition: encoded audio in, a transcript out. Knows nothing of HTTP or of search.

Read in the order the data flows: `audio` (bytes to samples), `audio_workers` (the same, apart from the server), `pcm`
(raw sound as it streams in), `quality` (is there anything to recognise), `windows` (the pieces that are recognised),
`features` (samples to log-mel), `model` (the Whisper network), `checkpoints` and `weights/` (where its weights come
from), `languages` (what Whisper knows), `encoding` (log-mel to encoded audio, no longer than the clip), `steps` (one
step of the text decoder; `torch_steps` and `native/` carry it out on a CPU, `static_steps` with `slots` and
`cuda_graphs` on a GPU), `tokenizer`, `bias` (phrases that are expected), `sequence`, `biased_search` and `decoding`
(encoded audio to hypotheses, step by step), `scoring` (how likely given texts are for it), `scheduler` and `engine`
(many clips at once, in the thread that owns the model), `replicas` (several engines as one), `threads` (how many, with
how many cores), `arithmetic` and `precision` (what a CPU can compute with), `measuring` and `compute` (which of it is
the fastest here), `invention` (was it really said), `transcriber` (all of it in one call), `transcript` (what comes
out) and `stable` (what stays of a transcript that grows).
"""

import os

# GNU's OpenMP, which PyTorch computes with, reads this when it is loaded: how often a thread looks whether the others
# are done before it sleeps. As it comes, it looks for milliseconds on end: where another process wants the core that
# the last one needs, a step of one millisecond took 370.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")
# oneDNN keeps what it has prepared for every shape it met, up to 1024 of them; clips come in hundreds of lengths, which
# took a hundred megabytes and made nothing faster.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
