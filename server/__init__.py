"""The HTTP server: joins `asr`, `vad` and `search` and owns their lifetimes.

Read `settings` (everything that can be set), `app` and `services` (what is built and when it ends), `routes/` (one
file per resource), `live/` (listening while somebody speaks), `catalogues` (the indexes by their names, and `threads`
for what blocks), `search_requests` (what is asked of them beside words) and `query_rewriting` (from what was
recognised to what was meant), `keywords` and `names` (hotwords: what the decoder is to expect), `admission` and
`middleware/` (who and what is let in), `errors` (the one error body), `metrics`, `protocols/` (how long clients are
waited for), then `serve`, `evaluate` (with `heard`, `slices`, `scoring`, `success` and `report`) and `command/`.
"""
