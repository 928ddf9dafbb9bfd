"""How words sound: `spoken_form` and `pronunciation` (text to phones), `phones` (how alike two are), `keys` and `names`
(what an index holds of it), `alignment` (where a name may have been said).
"""
