"""Blocking work off the event loop: in pools, or in threads that do not keep the process from ending."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

LOADING = "sayseek-loading"


async def in_pool(threads: ThreadPoolExecutor, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run work in one of these threads."""
    return await asyncio.get_running_loop().run_in_executor(threads, partial(function, *args, **kwargs))


async def in_daemon_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run work that may take minutes, such as a download, in a thread that does not keep the process from ending."""
    outcome: Future[T] = Future()

    def run() -> None:
        # Nobody waits any more where the server was stopped meanwhile.
        with contextlib.suppress(InvalidStateError):
            try:
                outcome.set_result(function(*args, **kwargs))
            except Exception as error:
                outcome.set_exception(error)

    threading.Thread(target=run, name=LOADING, daemon=True).start()
    return await asyncio.wrap_future(outcome)


def is_loading() -> bool:
    """Whether a daemon thread still works, wanted or not."""
    return any(thread.name == LOADING for thread in threading.enumerate())


def join_threads(seconds: float) -> bool:
    """Whether all threads that would keep the process from ending have ended, within so many seconds from now."""
    deadline = time.monotonic() + seconds
    others = [thread for thread in threading.enumerate() if thread is not threading.main_thread() and not thread.daemon]
    for thread in others:
        thread.join(max(0.0, deadline - time.monotonic()))
    return not any(thread.is_alive() for thread in others)
