"""What is searched: the owner's documents.

Read `document` (one of them), `files` and `json_records` (reading them), `schema` (what is done with their fields),
`filters` (which may be found) and `sample_cities` (the sample catalogue).
"""
