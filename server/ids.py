"""Identifiers that sort by time: a prefix and a ULID (https://github.com/ulid/spec)."""

import secrets
import time

CROCKFORD_BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
RANDOM_BITS = 80
LENGTH = 26


def new_id(prefix: str) -> str:
    """For example vs_01JD8X4K5N9Q3R7T2V6W0Y1Z8A: 48 bits of milliseconds, 80 random bits."""
    number = time.time_ns() // 1_000_000 << RANDOM_BITS | secrets.randbits(RANDOM_BITS)
    digits = (CROCKFORD_BASE32[number >> 5 * place & 31] for place in reversed(range(LENGTH)))
    return f"{prefix}_{''.join(digits)}"
