"""Drive a voice search in the event loop, which never blocks: work on audio and the index goes to threads."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import Any, TypeVar

from asr.transcriber import Prepared
from pipeline.voice_search import Prepare, Search, Steps, Wait
from server.catalogues import Catalogue
from server.services import Services

T = TypeVar("T")

PrepareInThread = Callable[[Callable[[], Prepared]], Awaitable[Prepared]]


async def drive(steps: Steps[T], services: Services, catalogue: Catalogue, in_thread: PrepareInThread) -> T:
    """Take all steps, and give what comes of them; `in_thread` runs the work on audio.

    Who cancels this gives up what the engine still has to do. Errors of the steps pass through.
    """
    came: Any = None
    with closing(steps):
        while True:
            try:
                step = steps.send(came)
            except StopIteration as end:
                outcome: T = end.value
                return outcome
            match step:
                case Prepare(call):
                    came = await in_thread(call)
                case Search(call):
                    came = await catalogue.reading(call, catalogue.index)
                case Wait(future):
                    try:
                        came = await asyncio.wrap_future(future)
                    finally:  # where all clips are given up, fewer must be let in
                        engine = services.transcriber.engine
                        services.admission.learn(engine.busy_seconds, engine.hearings)
