"""Words: `tokens` (text to what is indexed), `ranking` (what a match is worth), `synonyms`, `spelling` (of keys)."""
