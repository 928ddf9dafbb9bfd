"""The decisions only: nothing waits here."""

from datetime import UTC, datetime

import pytest

from clients.errors import (
    Busy,
    InvalidRequest,
    MalformedAnswer,
    SayseekError,
    ServerError,
    ServerTimeout,
    ServerUnreachable,
    retry_after_seconds,
)
from clients.retries import NO_RETRIES, Retries, RetryOptions

GONE = ServerUnreachable("gone")


def busy(retry_after: float | None = None) -> Busy:
    return Busy(503, "busy", retry_after=retry_after)


def test_waits_double_and_are_spread_by_jitter() -> None:
    def waits(jitter: float) -> list[float]:
        retries = Retries(RetryOptions(retries=3), jitter=lambda: jitter)
        return [retries.wait_after(GONE) for _ in range(3)]

    assert waits(jitter=1) == [0.5, 1, 2]
    assert waits(jitter=0) == [0.25, 0.5, 1]


def test_after_the_last_retry_the_error_is_raised() -> None:
    retries = Retries(RetryOptions(retries=1))
    retries.wait_after(GONE)
    with pytest.raises(ServerUnreachable, match="gone"):
        retries.wait_after(GONE)


def test_the_server_says_how_long_to_wait() -> None:
    assert Retries(RetryOptions()).wait_after(busy(retry_after=7)) == 7


def test_a_server_that_says_when_to_come_back_is_asked_for_as_long_as_there_is_time() -> None:
    """After eight answers "still loading, try again in 2 s" a stream gave up, with most of its minute left."""
    retries = Retries(RetryOptions(retries=1, longest_wait=60))
    assert [retries.wait_after(busy(retry_after=2)) for _ in range(30)] == [2] * 30
    with pytest.raises(Busy):
        retries.wait_after(busy(retry_after=2))


def test_come_back_at_once_counts_as_a_try() -> None:
    retries = Retries(RetryOptions(retries=2))
    assert [retries.wait_after(busy(retry_after=0)) for _ in range(2)] == [0, 0]
    with pytest.raises(Busy):
        retries.wait_after(busy(retry_after=0))


def test_without_retries_there_are_none_whatever_the_server_says() -> None:
    with pytest.raises(Busy):
        Retries(NO_RETRIES).wait_after(busy(retry_after=2))


def test_a_busy_server_that_does_not_say_is_waited_for_as_others() -> None:
    assert 0.25 <= Retries(RetryOptions()).wait_after(busy()) <= 0.5


def test_all_waits_together_are_bounded() -> None:
    retries = Retries(RetryOptions(retries=10, longest_wait=10))
    assert [retries.wait_after(busy(6)), retries.wait_after(busy(4))] == [6, 4]
    with pytest.raises(Busy):
        retries.wait_after(busy(0.1))


@pytest.mark.parametrize(
    "final", [InvalidRequest(400, "no"), ServerError(500, "no"), ServerTimeout("no"), MalformedAnswer("no")]
)
def test_other_errors_are_final(final: SayseekError) -> None:
    with pytest.raises(type(final)):
        Retries(RetryOptions()).wait_after(final)


@pytest.mark.parametrize("wrong", [{"retries": -1}, {"longest_wait": -1}, {"longest_wait": float("nan")}])
def test_options_that_cannot_be_meant_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="0 or more"):
        RetryOptions(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("5", 5),
        (" 0 ", 0),
        ("Sat, 01 Jan 2000 00:01:30 GMT", 90),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 0),
        ("Sat, 01 Jan 2000 00:00:10 -0000", 10),
        ("soon", None),
        ("-3", None),
        ("Sat, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("²", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value, now=datetime(2000, 1, 1, tzinfo=UTC)) == seconds
