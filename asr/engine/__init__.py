"""Many clips at once, in the thread that owns the model.

Read `scheduler` (which sequences take part in the next step; it touches no tensor), `engine` (the loop) and `replicas`
(several engines as one).
"""
