"""From what was recognised to what is searched for.

Read `hypothesis` (what recognition gave), `phonetic_reading` (how it sounds), `candidates` (names that may have been
said), `rewriting` (which of them was) and `query` (all of it).
"""
