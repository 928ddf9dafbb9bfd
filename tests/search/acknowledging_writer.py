"""A process for tests to kill: changes an index, and says what is done once it is acknowledged.

Run as `acknowledging_writer.py INDEX SEED`, it reads from which step on it is to go on, has a child do the steps from
there, and waits for the child's end; this costs a fork, not a start of Python. The child says `began PID` and each step
that is done; when it is gone, `ended` follows. With a third argument everything is in one call that never ends, which
says how many documents it has taken.
"""

import itertools
import os
import random
import sys
from collections.abc import Callable, Iterator
from typing import TypeAlias

from search.catalogue.document import Document
from search.index import SearchIndex
from search.opening import open_index

# What each document says, by its id: in which step it was written.
State: TypeAlias = dict[str, str]
IDS = [f"{number}" for number in range(60)]


def change(seed: int, step: int, state: State) -> tuple[Callable[[SearchIndex], int], State]:
    """What is done to an index in a step, and what there is then."""
    pick = random.Random(f"{seed} {step}")
    ids = pick.sample(IDS, pick.choice((1, 2, 10, 50)))
    written = [Document(id=document_id, title="Thing", body=f"of step {step}") for document_id in ids]
    said = {document.id: document.body for document in written}
    kind = pick.choice(("upsert", "upsert", "delete", "replace"))
    if kind == "delete":
        return lambda index: index.delete(ids), {key: said for key, said in state.items() if key not in ids}
    if kind == "replace":
        return lambda index: index.replace(written), said
    return lambda index: index.upsert(written), state | said


def work(url: str, seed: int, first: int) -> None:
    say(f"began {os.getpid()}")
    with open_index(url) as index:
        for step in itertools.count(first):
            change(seed, step, {})[0](index)
            say(f"{step}")


def endless() -> Iterator[Document]:
    for number in itertools.count(1):
        yield Document(id=f"{number}", title="Thing")
        say(f"{number}")


def say(line: str) -> None:
    # In one call, so that the lines of two processes do not mix.
    os.write(1, f"{line}\n".encode())


if __name__ == "__main__":
    url, seed = sys.argv[1], int(sys.argv[2])
    if len(sys.argv) > 3:
        with open_index(url) as index:
            getattr(index, sys.argv[3])(endless())
    for line in sys.stdin:
        if (child := os.fork()) == 0:
            work(url, seed, int(line))
        os.waitpid(child, 0)
        say("ended")
