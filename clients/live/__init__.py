"""Speech while it is spoken, over connections that may break.

Read `protocol` (how to ask for it), `messages` (what comes, read as `events`), `stream` (the client), `ledger` (what
has no final yet), `backlog` and `timeline`.
"""
