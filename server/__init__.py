"""The HTTP server: joins `asr`, `vad` and `search` and owns their lifetimes.

Read `settings` (everything that can be set), `app` and `services` (what is built and when it ends), `routes/` (one
file per resource), `live/` (listening while somebody speaks), `catalogues` (the indexes by their names, and `threads`
for what blocks), `searching` (what is asked of them beside words) and `meaning` (from what was heard to what was
meant), `keywords` and `names` (what the decoder is to expect), `key`, `body_limit`, `admission` and `turn_away` (who
and what is let in), `errors` (the one error body), `observe` and `metrics`, `connections` and `websocket` (how long
clients are waited for), then `serve`, `indexing`, `evaluate` (with `heard`, `slices`, `scoring`, `success` and
`report`) and `cli`.
"""
