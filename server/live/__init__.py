"""Live listening: audio comes in over a WebSocket while somebody speaks, words and results go out.

Read in this order: `protocol` is what goes over the wire, `options` what a client may ask for; `resampling` makes
16 kHz mono of what comes.
"""
