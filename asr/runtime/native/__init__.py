"""The network in C, int8: compiled once for each instruction set, when the package is built.

Read `kernels/` (all that depends on the processor; its README.md tells how to add an instruction set), `threads.h` (a
pool of threads), `linear.h` and `attention.h` (what the parts share), `encoder.c` and `decoder.c` (what is computed),
`build` (sources to library), `processor_x86.c` and `processor_arm.c` (which kernels this processor runs), `library`
(the library as Python loads it), `encoder` and `stepper` (the two parts as Python sees them), `weights` and `pack.c`
(how numbers are laid out).
"""
