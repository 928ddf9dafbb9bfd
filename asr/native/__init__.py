"""The decoder's step in C, compiled for the processor it runs on.

Read `decoder.c` (the step itself), `build` (source to library, once), `steps` (the same step as Python sees it).
"""
