"""The index inside the server's own process, on Tantivy: `index`, over `folder` (on the disk), `entry` (what is kept of
a document), `writer`, `view`, `query`, `errors` and `yielding` (searches before writing).
"""
