"""The index that servers share, in PostgreSQL: `index`, over `address`, `connection` and `pool`, `migration`, `entry`
(what is kept of a document), `writer`, `scoring` and `query` (BM25 in SQL) and `page` (results).
"""
