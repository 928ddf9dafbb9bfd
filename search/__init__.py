"""The owner's catalogue: what can be found, and finding it. Knows nothing of HTTP.

Read `document` (what is indexed, and reading catalogue files), `index` (the protocol every index keeps),
`tantivy_index` (the embedded default), `voice_query` (from what was heard to results), `cities` (the sample).
"""
