"""The HTTP server: joins `asr`, `vad` and `search` and owns their lifetimes.

Read `settings` (everything that can be set), `app` (what is built and when it ends), `routes/` (one file per
resource), `admission` and `body_limit` (what is let in), `errors` (the one error body), `metrics`, then `cli`.
"""
