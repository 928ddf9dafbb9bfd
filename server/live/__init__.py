"""Live listening: audio comes in over a WebSocket while somebody speaks, words and results go out.

Read in this order: `protocol` is what goes over the wire, `options` what a client may ask for; `session` is a
connection from being accepted to its close, `rate_limit` how much it may send, `utterances` what is said on it;
`recogniser` hears them, `interims` while they are spoken, `speculation` in a pause; `hangover` tells how long a pause
ends them, `standstill` that they are over though sound goes on, `silence` what is to be said after it, `results` and
`utterance` are what is told of them; `refusal` parts from who is not let in.
"""
