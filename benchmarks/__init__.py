"""Measurements that anyone can run again; their results stand in RESULTS.md.

`startup` times a start and weighs the process, `responsiveness` looks at /healthz under load, `malformed` throws
damaged uploads at a server, `peer` transcribes a manifest with faster-whisper, for comparison with
`sayseek-server evaluate`.
"""
