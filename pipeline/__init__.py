"""The main path: recognise a spoken query, then search for what was meant. Knows nothing of HTTP.

Read `voice_search` (the steps and their order, for every program that serves or measures), `options` (what can be set
of the model and of recognition), `model` (loading it) and `expected_names` (the catalogue's titles as hotwords).
"""
