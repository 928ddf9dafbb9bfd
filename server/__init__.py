"""The HTTP server: joins `asr`, `vad` and `search` and owns their lifetimes.

Read `settings` (everything that can be set), `app` and `services` (what is built and when it ends), `routes/` (one
file per resource), `key`, `body_limit` and `admission` (who and what is let in), `errors` (the one error body),
`observe` and `metrics`, then `serve`, `evaluate`, `scoring` and `cli`.
"""
