"""The HTTP server: runs the steps of `pipeline` for many clients at once, and owns the lifetimes of its parts.

Read `settings` (everything that can be set), `app` and `services` (what is built and when it ends), `routes/` (one
file per resource), `live/` (listening while somebody speaks), `catalogues` (the indexes by their names, and `threads`
for what blocks), `driver` (the pipeline in the event loop), `search_requests` (what is asked beside words), `keywords`
(hotwords that a client names), `admission` and `middleware/` (who and what is let in), `errors` (the one error body),
`metrics`, `protocols/` (how long clients are waited for), then `serve` and `command/`.
"""
