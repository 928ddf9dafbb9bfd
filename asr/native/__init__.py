"""The network in C, int8, compiled for the processor it runs on.

Read `linear.h` (threads, linear layers), `attention.h`, `encoder.c` and `decoder.c` (what is computed), `build` (source
to library, once), `encoder` and `steps` (the same as Python sees them), `weights` and `pack.c` (how numbers are laid
out).
"""
