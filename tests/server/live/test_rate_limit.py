"""How fast a listener may send, reckoned without a clock."""

import pytest

from server.live.rate_limit import BURST_SECONDS, PACE, TokenBucket


def test_a_minute_at_once_need_not_wait() -> None:
    assert TokenBucket(0).spend(60, now=0) == 0


def test_who_goes_on_as_fast_as_it_can_is_held_to_the_pace() -> None:
    allowance = TokenBucket(100)
    now, heard = 100.0, 0.0
    while heard < 1_000:
        heard += 0.2
        now += allowance.spend(0.2, now)
    assert now - 100 == pytest.approx((heard - BURST_SECONDS) / PACE)


def test_who_speaks_never_waits_however_long() -> None:
    allowance = TokenBucket(0)
    assert not any(allowance.spend(0.025, now=at * 0.02) for at in range(50_000))


def test_what_was_not_used_does_not_add_up() -> None:
    allowance = TokenBucket(0)
    assert allowance.spend(BURST_SECONDS + PACE, now=3_600) == pytest.approx(1)
