"""The owner's catalogue: what can be found, and finding it. Knows nothing of HTTP.

Read `catalogue/` (the documents), `text/` (which words meet, and what a match is worth), `index` (the protocol that
every index keeps, and opening one), `result` (what it is asked and gives back), `tantivy/` (the embedded index),
`postgres/` (the one that servers share), `phonetic/` (how words sound), `voice/` (from what was recognised to
results), `highlighting` (where the words stand in them), `configuration` (several catalogues named in one file) and
`errors`.
"""
