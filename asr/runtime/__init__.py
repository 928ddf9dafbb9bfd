"""What computes the network: PyTorch, compiled kernels in int8, CUDA graphs.

Read `precision` and `arithmetic` (what there is on a CPU), `measuring` and `choose` (which of it is the fastest here),
`cpu_shares` (how many replicas with how many threads), `torch_stepper` and `native/` (the decoder's steps on a CPU),
`cuda_stepper` with `cache_slots` and `cuda_graphs` (on a GPU).
"""
