"""How good it is: accuracy, search success and speed on recordings whose meaning is known.

Read `manifest` (the recordings and what is known of them), `run` (recognise and search them), `rows` (what became of
each), `measures` and `search_success` (figures), `slices` (of whom) and `report` (tables).
"""
