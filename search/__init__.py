"""The owner's catalogue: what can be found, and finding it. Knows nothing of HTTP.

Read `document` (what is indexed), `catalogue` (reading it from files) and `json_records` (from JSON), `schema` (what is
done with the owner's fields), `filters` (which documents may be found), `index` (the protocol every index keeps, and
opening one), `result` (what it is asked and gives back), `text`, `ranking` and `synonyms` (which words meet, and what a
match is worth), `tantivy_index`, its `index_folder`, `tantivy_entry` (what it keeps of a document), `tantivy_writer`,
`tantivy_view`, `tantivy_query` and `courtesy` (the embedded default), `postgres_index`, its `postgres_address`,
`postgres_connection`, `postgres_connections`, `migration`, `postgres_entry`, `postgres_writer`, `postgres_scoring`,
`postgres_query` and `postgres_found` (the one that servers share), `voice_query` (from what was heard to results),
`snippets` (where the words stand in them), `configuration` (the catalogues that an owner names in one file), then
search by sound: `phones` and `sound` (how words sound, with `spoken_words`), `sound_keys` and `named` (what an index
holds of it), `alignment`, `heard_text` and `candidates` (names that may have been said), `recognised` (what was heard)
and `meant` (which of them was); `cities` (the sample catalogue).
"""
