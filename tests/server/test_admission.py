"""Who is let in, who waits, and who is told to come back."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from server.admission import Admission
from server.errors import ApiError
from server.metrics import Metrics
from server.middleware.load_shedding import LoadShedding


async def hold(admission: Admission, until: asyncio.Event) -> None:
    async with admission.place():
        await until.wait()


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_a_free_place_is_given_at_once() -> None:
    async def scenario() -> None:
        admission = Admission(max_places=1, max_wait=0, max_delay=60)
        async with admission.place():
            assert admission.taken == 1
        assert admission.taken == 0

    asyncio.run(scenario())


def test_a_full_server_refuses_after_the_wait_and_says_when_to_come_back() -> None:
    async def scenario() -> None:
        admission = Admission(max_places=1, max_wait=0.01, max_delay=60)
        admission.seconds_per_window = 0.01  # it seems that there will be a place in time
        done = asyncio.Event()
        holder = asyncio.create_task(hold(admission, done))
        await settle()
        with pytest.raises(ApiError) as refusal:
            async with admission.place():
                pass
        assert refusal.value.status_code == 503
        assert int(refusal.value.headers["Retry-After"]) >= 1
        assert (admission.taken, admission.waiting) == (1, 0)
        done.set()
        await holder

    asyncio.run(scenario())


def test_what_is_claimed_is_had_at_once_and_counts_for_others() -> None:
    async def scenario() -> None:
        admission = Admission(max_places=1, max_wait=0.01, max_delay=60)
        with admission.claim(), admission.claim():
            assert admission.taken == 2
            assert admission.is_full
            with pytest.raises(ApiError):
                async with admission.place():
                    pass
        assert admission.taken == 0
        assert not admission.is_full
        async with admission.place():
            assert admission.is_full

    asyncio.run(scenario())


def test_whoever_waits_gets_the_place_that_comes_free() -> None:
    async def scenario() -> None:
        admission = Admission(max_places=1, max_wait=10, max_delay=60)
        done = asyncio.Event()
        holder = asyncio.create_task(hold(admission, done))
        await settle()
        waiter = asyncio.create_task(hold(admission, done))
        await settle()
        assert admission.waiting == 1
        done.set()
        await asyncio.gather(holder, waiter)
        assert (admission.taken, admission.waiting) == (0, 0)

    asyncio.run(scenario())


def test_no_more_wait_than_there_are_places() -> None:
    async def scenario() -> None:
        admission = Admission(max_places=2, max_wait=10, max_delay=60)
        done = asyncio.Event()
        tasks = [asyncio.create_task(hold(admission, done)) for _ in range(4)]
        await settle()
        with pytest.raises(ApiError):
            async with admission.place():
                pass
        done.set()
        await asyncio.gather(*tasks)

    asyncio.run(scenario())


def test_a_client_that_leaves_gives_its_place_back() -> None:
    async def scenario() -> None:
        admission = Admission(max_places=1, max_wait=10, max_delay=60)
        never = asyncio.Event()
        holder = asyncio.create_task(hold(admission, never))
        await settle()
        waiter = asyncio.create_task(hold(admission, never))
        await settle()
        waiter.cancel()
        holder.cancel()
        await asyncio.gather(holder, waiter, return_exceptions=True)
        assert (admission.taken, admission.waiting) == (0, 0)
        async with asyncio.timeout(1), admission.place():
            pass

    asyncio.run(scenario())


async def told_to_come_back_after(admission: Admission) -> int:
    """The seconds that a refused client is told while all places are taken."""
    async with AsyncExitStack() as places:
        for _ in range(admission.max_places):
            await places.enter_async_context(admission.place())
        with pytest.raises(ApiError) as refusal:
            async with admission.place():
                pass
    return int(refusal.value.headers["Retry-After"])


@pytest.mark.parametrize(("ahead", "told"), [(2, 2), (16, 16), (32, 32)])
def test_the_time_to_come_back_grows_with_the_work_ahead(ahead: int, told: int) -> None:
    admission = Admission(max_places=ahead, max_wait=0.01, max_delay=120)
    admission.seconds_per_window = 2.0
    assert asyncio.run(told_to_come_back_after(admission)) == told


def test_a_window_costs_what_the_engine_was_busy_for_it() -> None:
    """Clips that are recognised side by side share the engine: each takes longer, and all together less."""
    admission = Admission(max_places=64, max_wait=0.01, max_delay=60)
    for turn in range(1, 101):
        admission.learn(busy_seconds=turn * 0.8, windows=turn * 16)
    assert admission.seconds_per_window == pytest.approx(0.05)


def test_the_first_window_says_more_than_what_was_guessed() -> None:
    """A server just started once refused many: it held itself to be four times slower than it was."""
    admission = Admission(max_places=64, max_wait=0.01, max_delay=60)
    admission.learn(busy_seconds=0.1, windows=2)
    assert admission.seconds_per_window == pytest.approx(0.05)


def test_nobody_is_let_in_who_would_wait_too_long() -> None:
    async def scenario() -> None:
        admission = Admission(max_places=64, max_wait=0.01, max_delay=2.0)
        admission.seconds_per_window = 0.5
        async with AsyncExitStack() as places:
            for _ in range(5):  # the fifth waits for four
                await places.enter_async_context(admission.place())
            with pytest.raises(ApiError):
                async with admission.place():
                    pass
            assert (admission.taken, admission.waiting) == (5, 0)

    asyncio.run(scenario())


def test_whoever_would_wait_in_vain_is_refused_before_anything_is_read() -> None:
    """The bytes of refused clips once took a quarter of the time that those in work needed."""

    async def scenario() -> None:
        admission = Admission(max_places=64, max_wait=0.4, max_delay=1.0)
        admission.seconds_per_window = 0.5
        statuses: list[int] = []

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        async def route(scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            await Response()(scope, receive, send)

        async def body() -> Message:
            taken.append(1)
            return {"type": "http.request", "body": b"", "more_body": False}

        app, taken = LoadShedding(route, admission, Metrics()), list[int]()
        for path in ("/v1/voice-search", "/v1/search"):
            await app({"type": "http", "method": "POST", "path": path}, body, answer)
        async with AsyncExitStack() as places:
            for _ in range(3):
                await places.enter_async_context(admission.place())
            for path in ("/v1/voice-search", "/v1/search"):
                await app({"type": "http", "method": "POST", "path": path}, body, answer)
        assert statuses == [200, 200, 503, 200]
        assert len(taken) == 3

    asyncio.run(scenario())


def test_a_place_that_comes_too_late_is_not_lost() -> None:
    """The client leaves in the very moment in which it is let in."""

    async def scenario() -> None:
        admission = Admission(max_places=1, max_wait=10, max_delay=60)
        done = asyncio.Event()
        holder = asyncio.create_task(hold(admission, done))
        await settle()
        waiter = asyncio.create_task(hold(admission, done))
        await settle()
        done.set()
        for _ in range(10):
            if admission.waiting:
                await asyncio.sleep(0)
        waiter.cancel()
        await asyncio.gather(holder, waiter, return_exceptions=True)
        assert admission.taken == 0

    asyncio.run(scenario())
